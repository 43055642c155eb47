import { join } from 'node:path'
import { encode } from '@pipit/protocol'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type Collector,
  type CollectorAlert,
  type CollectorEventMap,
  type CollectorOptions,
  LightningCollector,
  MeshCollector,
  query,
  Store,
} from '../src/index.ts'
import { testFolder } from './folder.ts'
import { blackHole, closedPort, polite, publishBytes, ScriptedBroker } from './servers.ts'
import { data, envelope, neighborInfo } from './vectors.ts'

interface Kind {
  readonly name: string
  make(options: CollectorOptions): Collector
  topic: string
  /** The number comes back from `stored`. */
  payload(i: number): Uint8Array
  readonly stored: string
}

// Every collector passes the same tests.
const KINDS: readonly Kind[] = [
  {
    name: 'MeshCollector',
    make: (options) => new MeshCollector(options),
    topic: 'msh/EU_868/2/e/LongFast/!0000beef',
    payload: (i) => envelope({ from: 1, id: i + 1 }, { decoded: data(71, neighborInfo(1, [[i + 1, 1]])) }),
    stored: 'SELECT neighbour_id - 1 FROM neighbour_history ORDER BY id',
  },
  {
    name: 'LightningCollector',
    make: (options) =>
      new LightningCollector({ ...options, centre: { latitude: 48, longitude: 9 }, radiusKm: 100 }),
    topic: 'blitzortung/1.1/u/0/w',
    payload: (i) => Buffer.from(`{"time":${1_760_000_000_000_000_000n + BigInt(i)},"lat":48.1,"lon":9.1}`),
    stored: 'SELECT time_ns - 1760000000000000000 FROM strokes ORDER BY id',
  },
]

/** Fast enough for a test; the policy itself is the client's, and the benchmark's. */
const FAST = { reconnect: { minimumDelayMs: 1, maximumDelayMs: 5 }, version: '5.0' } as const

describe.each(KINDS)('$name', (kind) => {
  function newStore(): Store {
    const store = new Store({ path: join(testFolder(), 'data.db'), batchMs: 10 })
    onTestFinished(() => store.close(500))
    return store
  }

  function collector(options: Partial<CollectorOptions> & { store?: Store } = {}): {
    it: Collector
    store: Store
    log: string[]
  } {
    const log: string[] = []
    const store = options.store ?? newStore()
    const it = kind.make({ log: (line) => log.push(line), client: FAST, ...options, store })
    onTestFinished(() => it.stop())
    return { it, store, log }
  }

  const event = <Name extends keyof CollectorEventMap>(it: Collector, name: Name, times = 1) =>
    new Promise<CollectorEventMap[Name]>((resolve) => {
      let left = times
      const ended = it.on(name, (value) => {
        if (--left > 0) return
        ended()
        resolve(value)
      })
    })

  const alert = (it: Collector, wanted: CollectorAlert['kind']) =>
    new Promise<CollectorAlert>((resolve) => {
      it.on('alert', (value) => value.kind === wanted && resolve(value))
    })

  const stored = (store: Store): unknown[] => query(store.path, kind.stored).rows.map(([value]) => value)

  /** `start()` came back before anything of the network could happen, and the program went on. */
  function startsAtOnce(it: Collector): void {
    const order: string[] = []
    it.on('connect', () => order.push('connect'))
    it.on('alert', () => order.push('alert'))
    it.on('disconnect', () => order.push('disconnect'))
    it.start()
    order.push('started')
    expect(order).toEqual(['started'])
    expect(it.state).toEqual({ state: 'connecting' })
  }

  test('a closed broker: start() returns, failures become alerts, ingest() still stores', async () => {
    const { it, store } = collector({
      broker: `mqtt://127.0.0.1:${await closedPort()}`,
      alertAfterFailures: 3,
    })
    const told = alert(it, 'failures')
    startsAtOnce(it)
    it.ingest({ topic: kind.topic, payload: kind.payload(7) })
    expect(await told).toMatchObject({ kind: 'failures', failures: 3 })
    expect(it.metrics().attempts).toBeGreaterThanOrEqual(3)
    await it.stop()
    expect(it.state).toEqual({ state: 'stopped' })
    expect(stored(store)).toEqual([7])
  })

  test('a broker that accepts and is silent: the attempt ends, the collector waits and tries again', async () => {
    const broker = await new ScriptedBroker(() => {}).listen()
    const client = { ...FAST, connectTimeoutMs: 30 }
    const { it } = collector({ broker: broker.url, client, alertAfterFailures: 2 })
    const told = alert(it, 'failures')
    startsAtOnce(it)
    expect(await told).toMatchObject({ failures: 2, error: { code: 'TIMEOUT' } })
    expect(broker.connections).toBeGreaterThanOrEqual(2)
  })

  test('a black hole: the attempt ends, stop() settles in the middle of the next', async () => {
    const client = { ...FAST, connectTimeoutMs: 50 }
    const { it } = collector({
      broker: `mqtt://127.0.0.1:${await blackHole()}`,
      client,
      alertAfterFailures: 2,
    })
    const told = alert(it, 'failures')
    startsAtOnce(it)
    expect(await told).toMatchObject({ failures: 2, error: { code: 'TIMEOUT' } })
    await it.stop()
    expect(it.state).toEqual({ state: 'stopped' })
  })

  test('a wrong password: told once, waited out, and mended when the broker takes it', async () => {
    let attempts = 0
    const broker = await new ScriptedBroker((packet, socket, server) => {
      if (packet.type === 'CONNECT' && ++attempts < 4) {
        socket.end(encode({ type: 'CONNACK', sessionPresent: false, reasonCode: 0x86 }, 5))
      } else polite(packet, socket, server)
    }).listen()
    const { it, log } = collector({ broker: broker.url, client: { ...FAST, username: 'u', password: 'p' } })
    const refused = alert(it, 'refused')
    const connected = event(it, 'connect')
    startsAtOnce(it)
    await refused
    expect(it.state).toMatchObject({ state: 'refused', why: expect.stringContaining('0x86') })
    await connected
    expect(attempts).toBe(4)
    expect(log.filter((line) => line.includes('0x86'))).toHaveLength(1)
    expect(it.metrics().failures).toEqual({ 'CONNECTION_REFUSED 0x86': 3 })
  })

  test('a subscription that is refused is a state and an alert', async () => {
    const broker = await new ScriptedBroker((packet, socket, server) => {
      if (packet.type !== 'SUBSCRIBE') return polite(packet, socket, server)
      const reasonCodes = packet.subscriptions.map(() => 0x87 as const)
      socket.write(encode({ type: 'SUBACK', packetId: packet.packetId, reasonCodes }, 5))
    }).listen()
    const { it, log } = collector({ broker: broker.url })
    const refused = alert(it, 'refused')
    startsAtOnce(it)
    await refused
    expect(it.state.state).toBe('refused')
    expect(log).toHaveLength(1)
  })

  test('cut in the middle of a packet: what was whole is kept, the rest comes with the next connection', async () => {
    let connection = 0
    const broker = await new ScriptedBroker((packet, socket, server) => {
      polite(packet, socket, server)
      if (packet.type !== 'SUBSCRIBE') return
      const bytes = publishBytes(kind.topic, kind.payload(connection))
      socket.write(bytes)
      const next = publishBytes(kind.topic, kind.payload(connection + 1))
      if (connection++ === 0) socket.end(next.subarray(0, next.length - 5))
    }).listen()
    const { it, store } = collector({ broker: broker.url })
    const lost = event(it, 'disconnect')
    const both = event(it, 'message', 2)
    startsAtOnce(it)
    await lost
    await both
    await it.stop()
    expect(stored(store)).toEqual([0, 1])
    const events = query(store.path, 'SELECT kind FROM connection_events').rows.map(([what]) => what)
    expect(events.filter((what) => what === 'connect')).toHaveLength(2)
    expect(events).toContain('disconnect')
  })

  test('silence is an alert, and data ends it', async () => {
    const { it } = collector({ alertAfterSilenceMs: 20 })
    const told = alert(it, 'silence')
    it.start()
    expect(await told).toMatchObject({ kind: 'silence' })
  })

  test('without a broker, ingest() stores all the same, and a handler that throws changes nothing', async () => {
    const { it, store, log } = collector()
    it.on('message', () => {
      throw new Error('mine')
    })
    it.start()
    for (let i = 0; i < 10; i++) it.ingest({ topic: kind.topic, payload: kind.payload(i) })
    await it.stop()
    expect(stored(store)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(log[0]).toContain('mine')
  })

  test('two collectors with brokers of their own share a store', async () => {
    const store = newStore()
    const collectors = []
    for (const [i, name] of ['one', 'two'].entries()) {
      const broker = await new ScriptedBroker((packet, socket, server) => {
        polite(packet, socket, server)
        if (packet.type === 'SUBSCRIBE') socket.write(publishBytes(kind.topic, kind.payload(i)))
      }).listen()
      const { it } = collector({ name, broker: broker.url, store })
      const got = event(it, 'message')
      it.start()
      collectors.push({ it, got })
    }
    await Promise.all(collectors.map(({ got }) => got))
    await Promise.all(collectors.map(({ it }) => it.stop()))
    expect(stored(store).toSorted()).toEqual([0, 1])
    expect(query(store.path, 'SELECT name, state FROM collectors ORDER BY name').rows).toEqual([
      ['one', 'stopped'],
      ['two', 'stopped'],
    ])
  })

  test('start() again does nothing, stop() again settles, start() after stop() says so', async () => {
    const broker = await new ScriptedBroker(polite).listen()
    const { it } = collector({ broker: broker.url })
    const connected = event(it, 'connect')
    it.start()
    it.start()
    await connected
    expect(broker.connections).toBe(1)
    const left = broker.next('DISCONNECT')
    await Promise.all([it.stop(), it.stop(), left])
    expect(() => it.start()).toThrow('was stopped')
  })

  test('wrong options are said at the door', () => {
    expect(() => collector({ broker: 'nonsense' })).toThrow(TypeError)
  })
})
