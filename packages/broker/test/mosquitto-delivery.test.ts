import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Peer, payloads } from './peer.ts'
import { beside, Twins } from './twins.ts'

// What a mosquitto.conf says about delivery and limits: the same with our broker and with Debian's Mosquitto.

let twins: Twins
beforeEach(() => {
  twins = new Twins()
})
afterEach(() => twins.end())

const OPEN = 'listener PORT 127.0.0.1\nallow_anonymous true\n'
const KEEP = { sessionExpiryInterval: 1000 }

/** A client whose session stays when it goes. */
async function leaveSession(port: number, ...filters: (readonly [string, 0 | 1 | 2])[]): Promise<void> {
  const away = await Peer.open(port, { clientId: 'away', properties: KEEP })
  for (const [filter, qos] of filters) await away.subscribe(filter, qos)
  await away.leave()
}

/** What a client has been sent, acknowledging it, until a message says `end`. */
async function untilEnd(peer: Peer): Promise<string[]> {
  const said: string[] = []
  for (;;) {
    const { topic, qos, retain, payload, packetId } = await peer.next('PUBLISH')
    if (qos === 1) peer.send({ type: 'PUBACK', packetId, reasonCode: 0 })
    if (qos === 2) peer.send({ type: 'PUBREC', packetId, reasonCode: 0 })
    const text = Buffer.from(payload).toString()
    if (text === 'end') return said
    said.push(`${topic} ${qos}${retain ? ' retained' : ''} ${text}`)
  }
}

describe(`the same as with Mosquitto (${beside})`, () => {
  test.each([
    ['', ['t 1 two', 't 1 four']],
    ['queue_qos0_messages true\n', ['t 0 one', 't 1 two', 'u 0 three', 't 1 four', 't 0 five']],
  ])('queue_qos0_messages: %j', async (line, expected) => {
    for (const { name, ports } of await twins.start(OPEN + line)) {
      const [port = 0] = ports
      await leaveSession(port, ['t', 1], ['u', 0])
      const publisher = await Peer.open(port, { clientId: 'publisher' })
      publisher.publish({ topic: 't', payload: 'one' })
      publisher.publish({ topic: 't', payload: 'two', qos: 1 })
      publisher.publish({ topic: 'u', payload: 'three', qos: 1 })
      publisher.publish({ topic: 't', payload: 'four', qos: 2 })
      await publisher.next('PUBREC')
      publisher.send({ type: 'PUBREL', packetId: 3, reasonCode: 0 })
      await publisher.next('PUBCOMP')
      publisher.publish({ topic: 't', payload: 'five' })
      publisher.publish({ topic: 't', payload: 'end', qos: 1 })
      await publisher.drain()
      const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
      expect([name, await untilEnd(back)]).toEqual([name, expected])
    }
  })

  test.each([
    ['', ['t 0 zero', 't 1 one', 'r 0 retained kept']],
    ['upgrade_outgoing_qos true\n', ['t 2 zero', 't 2 one', 'r 1 retained kept']],
  ])('upgrade_outgoing_qos: %j', async (line, expected) => {
    for (const { name, ports } of await twins.start(OPEN + line)) {
      const [port = 0] = ports
      const peer = await Peer.open(port, { clientId: 'c' })
      const publisher = await Peer.open(port, { clientId: 'publisher', protocolVersion: 4 })
      publisher.publish({ topic: 'r', payload: 'kept', retain: true })
      await publisher.drain()
      await peer.subscribe('t', 2)
      publisher.publish({ topic: 't', payload: 'zero' })
      publisher.publish({ topic: 't', payload: 'one', qos: 1 })
      publisher.publish({ topic: 't', payload: 'end' })
      const said = await untilEnd(peer)
      await peer.subscribe('r', 1)
      await peer.subscribe('end', 0)
      publisher.publish({ topic: 'end', payload: 'end' })
      expect([name, [...said, ...(await untilEnd(peer))]]).toEqual([name, expected])
    }
  })

  test('upgrade_outgoing_qos: what is raised waits for who is away', async () => {
    for (const { name, ports } of await twins.start(`${OPEN}upgrade_outgoing_qos true\n`)) {
      const [port = 0] = ports
      await leaveSession(port, ['t', 1])
      const publisher = await Peer.open(port, { clientId: 'publisher' })
      publisher.publish({ topic: 't', payload: 'zero' })
      publisher.publish({ topic: 't', payload: 'end' })
      await publisher.drain()
      const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
      expect([name, await untilEnd(back)]).toEqual([name, ['t 1 zero']])
    }
  })

  test('memory_limit: who publishes what cannot be held is disconnected; others go on', async () => {
    const limit = 3_000_000
    for (const { name, ports } of await twins.start(`${OPEN}memory_limit ${limit}\n`)) {
      const [port = 0] = ports
      const other = await Peer.open(port, { clientId: 'other' })
      await other.subscribe('live')
      const publisher = await Peer.open(port, { clientId: 'publisher' })
      const payload = Buffer.alloc(100_000)
      let kept = 0
      for (;;) {
        publisher.publish({ topic: `r/${kept}`, payload, qos: 1, retain: true })
        try {
          const answer = await publisher.next()
          if (answer.type !== 'PUBACK') break
        } catch {
          break
        }
        kept++
      }
      await publisher.closed()
      // Mosquitto counts itself, too.
      expect([name, kept > 20 && kept < 30]).toEqual([name, true])
      const again = await Peer.open(port, { clientId: 'again' })
      again.publish({ topic: 'live', payload: 'heard' })
      expect([name, payloads([await other.next('PUBLISH')])]).toEqual([name, ['heard']])
    }
  })
})

describe('where the manual says one thing and Mosquitto 2.0.11 does another, ours does what the manual says', () => {
  test('messages at QoS 0 count for max_queued_messages', async () => {
    const { ports } = await twins.startOurs(`${OPEN}queue_qos0_messages true\nmax_queued_messages 2\n`)
    const [port = 0] = ports
    await leaveSession(port, ['t', 1])
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (const payload of ['1', '2', '3']) publisher.publish({ topic: 't', payload })
    await publisher.drain()
    const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
    expect(payloads(await back.drain())).toEqual(['1', '2'])
  })

  test.each([
    [0, '', 4],
    [1, 'max_inflight_bytes 0\n', 4],
    [1, 'max_inflight_bytes 100\n', 2],
    [2, 'max_inflight_bytes 100\n', 2],
    [1, 'max_inflight_bytes 10\n', 1],
  ] as const)('max_inflight_bytes, QoS %i: %j', async (qos, line, atOnce) => {
    const { ports } = await twins.startOurs(OPEN + line)
    const [port = 0] = ports
    const peer = await Peer.open(port, { clientId: 'c' })
    await peer.subscribe('t', qos)
    await peer.subscribe('mark', 0)
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 4; i++) publisher.publish({ topic: 't', payload: String(i).repeat(60), qos: 1 })
    await publisher.drain()
    publisher.publish({ topic: 'mark', payload: 'mark' })
    const came: string[] = []
    for (;;) {
      const { topic, payload, packetId } = await peer.next('PUBLISH')
      if (topic === 'mark') break
      came.push(Buffer.from(payload).toString('latin1', 0, 1))
      if (qos === 2) peer.send({ type: 'PUBREC', packetId, reasonCode: 0 })
    }
    expect(came.length).toBe(atOnce)
    if (qos !== 1 || atOnce === 4) return
    // Each that is acknowledged lets one go.
    for (let id = 1; came.length < 4; id++) {
      peer.send({ type: 'PUBACK', packetId: id, reasonCode: 0 })
      came.push(Buffer.from((await peer.next('PUBLISH')).payload).toString('latin1', 0, 1))
    }
    expect(came).toEqual(['0', '1', '2', '3'])
  })

  test('max_inflight_bytes, for what has waited', async () => {
    const { ports } = await twins.startOurs(`${OPEN}max_inflight_bytes 100\n`)
    const [port = 0] = ports
    await leaveSession(port, ['t', 1])
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 4; i++) publisher.publish({ topic: 't', payload: String(i).repeat(60), qos: 1 })
    await publisher.drain()
    const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
    expect(payloads(await back.drain()).map(([first]) => first)).toEqual(['0', '1'])
  })
})

describe('memory', () => {
  test('a queue takes what the limit leaves, and what is cleared makes room', async () => {
    const { ports } = await twins.startOurs(`${OPEN}memory_limit 1000\n`)
    const [port = 0] = ports
    await leaveSession(port, ['q', 1])
    const first = await Peer.open(port, { clientId: 'p' })
    first.publish({ topic: 'r', payload: 'x'.repeat(400), qos: 1, retain: true })
    first.publish({ topic: 'q', payload: 'y'.repeat(400), qos: 1 })
    expect(
      [await first.next('PUBACK'), await first.next('PUBACK')].map(({ reasonCode }) => reasonCode),
    ).toEqual([0x10, 0])
    first.publish({ topic: 'q', payload: 'z'.repeat(400), qos: 1 })
    expect(await first.next('DISCONNECT')).toMatchObject({ reasonCode: 0x97 })
    const second = await Peer.open(port, { clientId: 'p' })
    second.publish({ topic: 'r', qos: 1, retain: true })
    await second.next('PUBACK')
    second.publish({ topic: 'q', payload: 'z'.repeat(400), qos: 1 })
    expect(await second.next('PUBACK')).toMatchObject({ reasonCode: 0 })
  })
})

describe('QoS 0 that waits', () => {
  test('comes before what is published later, though the client does not take it at once', async () => {
    const { ports } = await twins.startOurs(`${OPEN}queue_qos0_messages true\n`)
    const [port = 0] = ports
    await leaveSession(port, ['t', 1])
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    const count = 40
    const body = 'x'.repeat(20_000)
    for (let i = 0; i < count; i++) publisher.publish({ topic: 't', payload: `${i} ${body}` })
    await publisher.drain()
    const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
    for (let i = count; i < 2 * count; i++) publisher.publish({ topic: 't', payload: `${i} ${body}` })
    const came: number[] = []
    while (came.length < 2 * count) {
      came.push(Number.parseInt(Buffer.from((await back.next('PUBLISH')).payload).toString(), 10))
    }
    expect(came).toEqual(Array.from({ length: 2 * count }, (_, i) => i))
  })

  test('survives a restart with persistence, and is gone from the store once it was sent', async () => {
    const conf = `${OPEN}queue_qos0_messages true\npersistence true\npersistence_location FOLDER\n`
    const first = await twins.startOurs(conf)
    await leaveSession(first.ports[0] ?? 0, ['t', 1])
    const publisher = await Peer.open(first.ports[0] ?? 0, { clientId: 'publisher' })
    publisher.publish({ topic: 't', payload: 'zero' })
    publisher.publish({ topic: 't', payload: 'one', qos: 1 })
    await publisher.next('PUBACK')
    await twins.stopOurs()
    for (const expected of [['zero', 'one'], []]) {
      const { ports } = await twins.startOurs(conf)
      const back = await Peer.open(ports[0] ?? 0, { clientId: 'away', cleanStart: false, properties: KEEP })
      const came = await back.drain()
      expect(payloads(came)).toEqual(expected)
      for (const packet of came) {
        if (packet.type === 'PUBLISH' && packet.qos === 1) {
          back.send({ type: 'PUBACK', packetId: packet.packetId, reasonCode: 0 })
        }
      }
      await back.drain()
      await back.leave()
      await twins.stopOurs()
    }
  })

  test('is for members of a shared subscription who are away, when all are', async () => {
    const { ports } = await twins.startOurs(`${OPEN}queue_qos0_messages true\n`)
    const [port = 0] = ports
    await leaveSession(port, ['$share/g/t', 1])
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    publisher.publish({ topic: 't', payload: 'zero' })
    await publisher.drain()
    const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
    expect(payloads(await back.drain())).toEqual(['zero'])
  })

  test('is not for a session that ends with its connection', async () => {
    const { ports } = await twins.startOurs(`${OPEN}queue_qos0_messages true\n`)
    const [port = 0] = ports
    const gone = await Peer.open(port, { clientId: 'gone' })
    await gone.subscribe('t', 1)
    await gone.leave()
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    publisher.publish({ topic: 't', payload: 'zero' })
    await publisher.drain()
    expect(payloads(await (await Peer.open(port, { clientId: 'gone' })).drain())).toEqual([])
  })
})
