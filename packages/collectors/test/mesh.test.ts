import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MeshCollector, type MeshOptions, query, Store } from '../src/index.ts'
import { keyFrom } from '../src/mesh/keys.ts'
import { fromLegacyJson, toLegacyJson } from '../src/mesh/legacy-json.ts'
import { ServiceEnvelope } from '../src/mesh/messages.ts'
import { readPacket } from '../src/mesh/packet.ts'
import { testFolder } from './folder.ts'
import { bytes, DEFAULT_KEY, data, envelope, fixed, float, neighborInfo, openssl, uint } from './vectors.ts'

const TOPIC = 'msh/EU_868/2/e/LongFast/!0000beef'
const NODE = 0x7a3b12cd
const AT = 1_760_000_000

function setUp(options: Partial<MeshOptions> = {}): { mesh: MeshCollector; store: Store } {
  const store = new Store({ path: join(testFolder(), 'mesh.db'), batchMs: 10 })
  onTestFinished(() => store.close(500))
  return { mesh: new MeshCollector({ store, ...options }), store }
}

async function rows(store: Store, sql: string): Promise<readonly (readonly unknown[])[]> {
  expect(await store.flush()).toBe(true)
  return query(store.path, sql).rows
}

const edges = 'SELECT node_id, neighbour_id, snr, last_seen FROM neighbours ORDER BY neighbour_id'
const laid = { from: NODE, id: 0x1020304, rxTime: AT }

describe('mesh vectors', () => {
  const neighbours = neighborInfo(NODE, [
    [0x11223344, 8.25],
    [0xfeedf00d, -12.5],
    [0, 0],
  ])
  const expected = [
    [NODE, 0x11223344, 8.25, AT * 1000],
    [NODE, 0xfeedf00d, -12.5, AT * 1000],
  ]
  const custom16 = '000102030405060708090a0b0c0d0e0f'
  const custom32 = `${custom16}101112131415161718191a1b1c1d1e1f`

  test.each<[string, string, Partial<MeshOptions>]>([
    ['the well-known key', DEFAULT_KEY, {}],
    ['key number 3', 'd4f1bb3a20290759f0bcffabcf4e6903', { defaultKey: Uint8Array.of(3) }],
    ['16 bytes', custom16, { keys: { LongFast: Buffer.from(custom16, 'hex').toString('base64') } }],
    ['32 bytes', custom32, { keys: { LongFast: Buffer.from(custom32, 'hex') } }],
    ['5 bytes, padded', '0102030405'.padEnd(32, '0'), { defaultKey: Uint8Array.of(1, 2, 3, 4, 5) }],
  ])('neighbours encrypted with %s become edges, without the dummy', async (_, key, options) => {
    const { mesh, store } = setUp(options)
    const encrypted = openssl(key, laid.from, laid.id, data(71, neighbours))
    mesh.ingest({ topic: TOPIC, payload: envelope(laid, { encrypted }) })
    expect(await rows(store, edges)).toEqual(expected)
    expect(mesh.metrics().skipped).toEqual({})
  })

  test.each([10, 11, 12, 230, 700])(
    'a name of %d bytes is read whole, in as many blocks as it takes',
    async (length) => {
      const { mesh, store } = setUp()
      const name = String.fromCharCode(...Array.from({ length }, (_, i) => 65 + (i % 57)))
      const encrypted = openssl(DEFAULT_KEY, laid.from, laid.id, data(4, bytes(2, name)))
      mesh.ingest({ topic: TOPIC, payload: envelope(laid, { encrypted }) })
      expect(mesh.metrics().skipped).toEqual({})
      expect(await rows(store, 'SELECT long_name FROM nodes')).toEqual([[name]])
    },
  )

  test('key 0 reads what is not encrypted, and what is in the clear needs none', async () => {
    const { mesh, store } = setUp({ defaultKey: Uint8Array.of(0) })
    mesh.ingest({ topic: TOPIC, payload: envelope(laid, { encrypted: data(71, neighbours) }) })
    mesh.ingest({ topic: TOPIC, payload: envelope({ ...laid, id: 9 }, { decoded: data(71, neighbours) }) })
    expect(await rows(store, 'SELECT neighbour_id, reports FROM neighbours ORDER BY 1')).toEqual([
      [0x11223344, 2],
      [0xfeedf00d, 2],
    ])
  })

  test('node, position, telemetry and map report become rows', async () => {
    const { mesh, store } = setUp()
    const send = (id: number, port: number, payload: number[], topic = TOPIC): void =>
      mesh.ingest({ topic, payload: envelope({ ...laid, id }, { decoded: data(port, payload) }) })
    send(1, 4, [
      ...bytes(1, '!7a3b12cd'),
      ...bytes(2, 'Höhe 7'),
      ...bytes(3, 'H7'),
      ...uint(5, 43),
      ...uint(7, 2),
    ])
    // −33.8688 and 151.2093 degrees, 58 m.
    send(2, 3, [...fixed(1, -338688000), ...fixed(2, 1512093000), ...uint(3, 58), ...uint(23, 15)])
    send(3, 67, [
      ...fixed(1, AT),
      ...bytes(2, [...uint(1, 87), ...float(2, 4.0), ...float(4, 1.5), ...uint(5, 3600)]),
    ])
    send(4, 67, [...fixed(1, AT), ...bytes(3, [...float(1, 21.5), ...float(2, 40), ...float(3, 1013.25)])])
    const map = [
      ...bytes(5, '2.7.9'),
      ...uint(6, 3),
      ...uint(7, 0),
      ...fixed(9, 10),
      ...fixed(10, -20),
      ...uint(12, 12),
    ]
    send(5, 73, map, 'msh/EU_868/2/map/')
    const node = `SELECT id, long_name, short_name, hardware_model, role, firmware_version, region, modem_preset,
      battery_level, voltage, air_util_tx, uptime_seconds, temperature, relative_humidity, barometric_pressure,
      gateway, last_seen FROM nodes`
    expect(await rows(store, node)).toEqual([
      [
        ...[NODE, 'Höhe 7', 'H7', 43, 2, '2.7.9', 3, 0, 87, 4, 1.5, 3600, 21.5, 40, 1013.25],
        ...['!0000beef', AT * 1000],
      ],
    ])
    const places = 'SELECT latitude, longitude, altitude, precision_bits, at FROM positions ORDER BY id'
    expect(await rows(store, places)).toEqual([
      [-33.8688, 151.2093, 58, 15, AT * 1000],
      [0.000001, -0.000002, null, 12, AT * 1000],
    ])
  })

  test('the same packet through several gateways is one', async () => {
    const { mesh, store } = setUp()
    for (const gateway of ['!0000beef', '!0000cafe', '!0000f00d']) {
      const payload = envelope({ ...laid, gateway }, { decoded: data(71, neighbours) })
      mesh.ingest({ topic: `msh/EU_868/2/e/LongFast/${gateway}`, payload })
    }
    expect(await rows(store, 'SELECT count(*) FROM neighbour_history')).toEqual([[2]])
    expect(mesh.metrics()).toMatchObject({ messages: 3, skipped: { duplicate: 2 } })
  })

  test('a wrong key, a public-key packet and what is none are counted and give no rows', () => {
    const { mesh } = setUp()
    const encrypted = openssl(custom16, laid.from, laid.id, data(71, neighbours))
    mesh.ingest({ topic: TOPIC, payload: envelope(laid, { encrypted }) })
    mesh.ingest({ topic: TOPIC, payload: envelope(laid, { encrypted }, uint(17, 1)) })
    mesh.ingest({ topic: TOPIC, payload: envelope({ ...laid, channel: 'PKI' }, { encrypted }) })
    mesh.ingest({ topic: TOPIC, payload: Uint8Array.of(1, 2, 3) })
    mesh.ingest({ topic: TOPIC, payload: new Uint8Array(0) })
    mesh.ingest({ topic: 'msh/EU_868/2/json/LongFast/!1', payload: Buffer.from('{"from":') })
    mesh.ingest({ topic: 'something/else', payload: new Uint8Array(0) })
    expect(mesh.metrics().records).toBe(0)
    const skipped = { undecryptable: 1, publicKey: 2, malformed: 2, empty: 1, otherTopic: 1 }
    expect(mesh.metrics().skipped).toEqual(skipped)
  })

  test('a wrong key does not pass for the right one', () => {
    const { mesh } = setUp()
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 60 }), fc.integer({ min: 1 }), (noise, id) => {
        mesh.ingest({ topic: TOPIC, payload: envelope({ ...laid, id }, { encrypted: [...noise] }) })
      }),
      { numRuns: 2_000 },
    )
    const { messages, skipped } = mesh.metrics()
    // A known port takes two fitting bytes, then a length that fits: a handful in thousands.
    expect(skipped['undecryptable']).toBeGreaterThan(messages * 0.97)
  })
})

describe('ingest()', () => {
  const whole = envelope(laid, { decoded: data(71, neighborInfo(NODE, [[5, 1]])) })
  const topics = fc.constantFrom(TOPIC, 'msh/x/2/json/a/!b', 'msh/x/2/map/', '', 'a/2/e/')

  test('never throws, whatever comes', () => {
    const { mesh } = setUp()
    const mutated = fc
      .tuple(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(whole.length),
      )
      .map(([changes, length]) => {
        const copy = Uint8Array.from(whole)
        for (const [at, value] of changes) copy[at] = value
        return copy.subarray(0, length)
      })
    const json = fc.json().map((text) => Buffer.from(text))
    const payloads = fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated, json)
    fc.assert(
      fc.property(topics, payloads, (topic, payload) => mesh.ingest({ topic, payload })),
      { numRuns: 3_000 },
    )
    expect(mesh.metrics().messages).toBe(3_000)
  })

  test('a truncated envelope gives no rows at all', () => {
    const { mesh } = setUp()
    // After the packet come channel and gateway: without them it is whole.
    const packetLength = whole.length - bytes(2, 'LongFast').length - bytes(3, '!0000beef').length
    for (let length = 1; length < packetLength; length++) {
      mesh.ingest({ topic: TOPIC, payload: whole.subarray(0, length) })
    }
    expect(mesh.metrics().records).toBe(0)
    expect(mesh.metrics().skipped).toEqual({ malformed: packetLength - 1 })
  })
})

describe('legacy JSON', () => {
  const json = {
    ...{ channel: 0, from: NODE, hop_start: 3, hops_away: 1, id: 77, rssi: -90, sender: '!0000beef', snr: 6 },
    ...{ timestamp: AT, to: 4294967295, type: 'neighborinfo' },
    payload: {
      ...{ last_sent_by_id: 1, node_broadcast_interval_secs: 900, node_id: NODE, neighbors_count: 2 },
      neighbors: [
        { node_id: 5, snr: 3.5 },
        { node_id: 0, snr: 0 },
      ],
    },
  }

  test('is read as the protobuf form is', async () => {
    const { mesh, store } = setUp()
    mesh.ingest({ topic: 'msh/EU_868/2/json/LongFast/!0000beef', payload: Buffer.from(JSON.stringify(json)) })
    expect(await rows(store, edges)).toEqual([[NODE, 5, 3.5, AT * 1000]])
  })

  test('is given back as it was read', () => {
    const message = fromLegacyJson(Buffer.from(JSON.stringify(json)))
    expect(JSON.parse(toLegacyJson(message, 0) ?? '')).toEqual(json)
  })

  test('is made of a protobuf message in the old shape', () => {
    const payload = envelope(laid, { decoded: data(71, neighborInfo(NODE, [[5, 1.5]])) })
    const message = readPacket(ServiceEnvelope.decode(payload), undefined)
    if (typeof message === 'string') throw new Error(message)
    expect(JSON.parse(toLegacyJson(message, 0) ?? '')).toEqual({
      ...{ channel: 8, from: NODE, hop_start: 5, hops_away: 2, id: laid.id, rssi: -90, sender: '!0000beef' },
      ...{ snr: 6.25, timestamp: AT, to: 4294967295, type: 'neighborinfo' },
      payload: {
        ...{ last_sent_by_id: NODE, node_broadcast_interval_secs: 900, node_id: NODE, neighbors_count: 1 },
        neighbors: [{ node_id: 5, snr: 1.5 }],
      },
    })
  })
})

describe('keyFrom()', () => {
  test.each([
    ['AQ==', DEFAULT_KEY],
    [Uint8Array.of(2), 'd4f1bb3a20290759f0bcffabcf4e6902'],
    [Uint8Array.of(255), 'd4f1bb3a20290759f0bcffabcf4e69ff'],
    ['AA==', undefined],
    ['', undefined],
  ])('%s gives %s', (psk, hex) => {
    const key = keyFrom(psk)
    expect(key === undefined ? undefined : Buffer.from(key).toString('hex')).toBe(hex)
  })

  test('refuses what is no key', () => {
    expect(() => keyFrom(new Uint8Array(33))).toThrow(RangeError)
    expect(() => keyFrom('?')).toThrow(TypeError)
  })
})
