import { Broker, type BrokerOptions } from '@pipit/broker'
import { afterEach, describe, expect, test } from 'vitest'
import { Peer, payloads } from './peer.ts'

let broker: Broker

afterEach(() => broker.close())

async function started(options: BrokerOptions = {}): Promise<number> {
  broker = new Broker(options)
  return (await broker.listen({ port: 0 })).port
}

const KEEP = { sessionExpiryInterval: 3600 }

describe('a shared group that loses a member in mid-flight', () => {
  test('gives its unacknowledged QoS 1 messages to the others', async () => {
    const port = await started()
    const leaving = await Peer.open(port, { clientId: 'leaving', properties: KEEP })
    const staying = await Peer.open(port, { clientId: 'staying' })
    await leaving.subscribe('$share/g/t', 1)
    await staying.subscribe('$share/g/t', 1)
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 6; i++) publisher.publish({ topic: 't', qos: 1, payload: String(i) })
    await publisher.drain()
    expect(payloads(await leaving.drain())).toEqual(['0', '2', '4'])
    await leaving.cut()
    const got: string[] = []
    while (got.length < 6) got.push(...payloads([await staying.next('PUBLISH')]))
    expect(got.sort()).toEqual(['0', '1', '2', '3', '4', '5'])
  })

  test('finishes QoS 2 with the member it was begun with [MQTT-4.8.2-4]', async () => {
    const port = await started()
    const member = await Peer.open(port, { clientId: 'member', properties: KEEP })
    await member.subscribe('$share/g/t', 2)
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    const packetId = publisher.publish({ topic: 't', qos: 2, payload: 'once' })
    await publisher.next('PUBREC')
    publisher.send({ type: 'PUBREL', packetId, reasonCode: 0 })
    const first = await member.next('PUBLISH')
    const other = await Peer.open(port, { clientId: 'other' })
    await other.subscribe('$share/g/t', 2)
    await member.cut()
    const back = await Peer.open(port, { clientId: 'member', cleanStart: false, properties: KEEP })
    expect(await back.next('PUBLISH')).toMatchObject({ packetId: first.packetId, dup: true })
    expect(payloads(await other.drain())).toEqual([])
  })

  test('skips members that are full', async () => {
    const port = await started()
    const full = await Peer.open(port, { clientId: 'full', properties: { receiveMaximum: 1 } })
    const free = await Peer.open(port, { clientId: 'free' })
    await full.subscribe('$share/g/t', 1)
    await free.subscribe('$share/g/t', 1)
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 5; i++) publisher.publish({ topic: 't', qos: 1, payload: String(i) })
    await publisher.drain()
    expect(payloads(await full.drain())).toEqual(['0'])
    expect(payloads(await free.drain())).toEqual(['1', '2', '3', '4'])
  })

  test('with the sticky strategy stays with one member as long as it can', async () => {
    const port = await started({ sharedStrategy: 'sticky' })
    const [a, b] = [await Peer.open(port, { clientId: 'a' }), await Peer.open(port, { clientId: 'b' })]
    await a.subscribe('$share/g/t')
    await b.subscribe('$share/g/t')
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 4; i++) publisher.publish({ topic: 't', payload: String(i) })
    await publisher.drain()
    const counts = [payloads(await a.drain()).length, payloads(await b.drain()).length]
    expect(counts.sort()).toEqual([0, 4])
  })
})

describe('a takeover', () => {
  test('publishes the will of the older connection and tells it 0x8E', async () => {
    const port = await started()
    const watcher = await Peer.open(port, { clientId: 'watcher' })
    await watcher.subscribe('will')
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0 as const, retain: false }
    const older = await Peer.open(port, { clientId: 'same', will })
    await Peer.open(port, { clientId: 'same' })
    expect(await older.next('DISCONNECT')).toMatchObject({ reasonCode: 0x8e })
    expect(payloads([await watcher.next('PUBLISH')])).toEqual(['gone'])
  })

  test('in time for a delayed will keeps it back; a clean start does not', async () => {
    const port = await started()
    const watcher = await Peer.open(port, { clientId: 'watcher' })
    await watcher.subscribe('will')
    const will = {
      topic: 'will',
      payload: Buffer.from('gone'),
      qos: 0 as const,
      retain: false,
      properties: { willDelayInterval: 60 },
    }
    await Peer.open(port, { clientId: 'same', will, properties: KEEP })
    await Peer.open(port, { clientId: 'same', will, properties: KEEP, cleanStart: false })
    expect(payloads(await watcher.drain())).toEqual([])
    await Peer.open(port, { clientId: 'same', properties: KEEP, cleanStart: true })
    expect(payloads(await watcher.drain())).toEqual(['gone'])
  })
})

describe('message expiry', () => {
  test('drops what expired in the queue, counts it, and counts the rest down', async () => {
    let now = 1_000_000
    const port = await started({ now: () => now })
    const away = await Peer.open(port, { clientId: 'away', properties: KEEP })
    await away.subscribe('t', 1)
    await away.leave()
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (const messageExpiryInterval of [5, 60]) {
      publisher.publish({
        topic: 't',
        qos: 1,
        payload: `${messageExpiryInterval}`,
        properties: { messageExpiryInterval },
      })
    }
    await publisher.drain()
    now += 20_000
    const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
    const message = await back.next('PUBLISH')
    expect(payloads([message])).toEqual(['60'])
    expect(message.properties?.messageExpiryInterval).toBe(40)
    expect(payloads(await back.drain())).toEqual([])
    expect(broker.ledger.list()).toMatchObject([{ clientId: 'away', reason: 'expired', count: 1 }])
  })
})

describe('order', () => {
  test.each([1, 2] as const)('of one publisher at QoS %i is kept through reconnects', async (qos) => {
    const port = await started()
    const options = { clientId: 'reader', cleanStart: false, properties: { ...KEEP, receiveMaximum: 3 } }
    let reader = await Peer.open(port, options)
    await reader.subscribe('t', qos)
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    const seen: number[] = []
    const done = new Set<number>()
    for (let i = 0; i < 40; i++) {
      const packetId = publisher.publish({ topic: 't', qos, payload: String(i) })
      if (qos === 2) {
        await publisher.next('PUBREC')
        publisher.send({ type: 'PUBREL', packetId, reasonCode: 0 })
      }
      await publisher.drain()
      if (i % 7 === 3) {
        await reader.cut()
        reader = await Peer.open(port, options)
      }
      if (i % 3 === 0) await acknowledgeOne(reader, qos, seen, done)
    }
    while (seen.length < 40) await acknowledgeOne(reader, qos, seen, done)
    expect(seen).toEqual([...seen.keys()])
  })

  /** Takes one message, a copy of one that is already done excepted, and completes it. */
  async function acknowledgeOne(reader: Peer, qos: 1 | 2, seen: number[], done: Set<number>): Promise<void> {
    const message = await reader.next('PUBLISH')
    const number = Number(payloads([message])[0])
    if (!done.has(number)) seen.push(number)
    done.add(number)
    const { packetId } = message
    if (qos === 1) return reader.send({ type: 'PUBACK', packetId, reasonCode: 0 })
    reader.send({ type: 'PUBREC', packetId, reasonCode: 0 })
    await reader.next('PUBREL')
    reader.send({ type: 'PUBCOMP', packetId, reasonCode: 0 })
  }
})

describe('two brokers', () => {
  test('live in one process and know nothing of each other', async () => {
    const port = await started()
    const other = new Broker()
    const { port: otherPort } = await other.listen({ port: 0 })
    const here = await Peer.open(port, { clientId: 'x' })
    const there = await Peer.open(otherPort, { clientId: 'x' })
    await here.subscribe('#')
    there.publish({ topic: 't', payload: 'there' })
    await there.drain()
    expect(payloads(await here.drain())).toEqual([])
    await other.close()
    expect(await there.next('DISCONNECT')).toMatchObject({ reasonCode: 0x8b })
    expect(await here.drain()).toEqual([])
  })
})

describe('versions', () => {
  test.each([
    [3, 5],
    [4, 5],
    [5, 4],
    [5, 3],
  ] as const)('a message of a client of version %i reaches one of version %i', async (from, to) => {
    const port = await started()
    const reader = await Peer.open(port, { clientId: 'reader', protocolVersion: to })
    const writer = await Peer.open(port, { clientId: 'writer', protocolVersion: from })
    await reader.subscribe('t', 2)
    const properties = from === 5 ? { contentType: 'text/plain', messageExpiryInterval: 9 } : undefined
    for (const qos of [0, 1] as const) {
      writer.publish({ topic: 't', qos, payload: `qos ${qos}`, properties })
      const message = await reader.next('PUBLISH')
      expect(payloads([message])).toEqual([`qos ${qos}`])
      expect(message.qos).toBe(qos)
    }
  })

  test('5.0 passes user properties through in their order, repeated names included', async () => {
    const port = await started()
    const reader = await Peer.open(port, { clientId: 'reader' })
    const writer = await Peer.open(port, { clientId: 'writer' })
    await reader.subscribe('t', 1)
    const userProperties = [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ] as const
    for (const qos of [0, 1] as const) {
      writer.publish({ topic: 't', qos, payload: 'x', properties: { userProperties, responseTopic: 'r' } })
      const message = await reader.next('PUBLISH')
      expect(message.properties).toEqual({ userProperties, responseTopic: 'r' })
    }
  })
})

describe('a fan-out', () => {
  test('to many gives each everything in order, among messages that only some get', async () => {
    const port = await started()
    const readers: Peer[] = []
    for (let i = 0; i < 20; i++) {
      const reader = await Peer.open(port, { clientId: `reader-${i}`, protocolVersion: i % 2 === 0 ? 4 : 5 })
      await reader.subscribe('all/#', i % 3 === 0 ? 1 : 0)
      if (i % 4 === 0) await reader.subscribe('some')
      readers.push(reader)
    }
    const writer = await Peer.open(port, { clientId: 'writer' })
    const other = await Peer.open(port, { clientId: 'other', protocolVersion: 4 })
    for (let i = 0; i < 300; i++) {
      writer.publish({ topic: `all/${i % 3}`, payload: `w${i}` })
      if (i % 5 === 0) writer.publish({ topic: 'some', payload: `s${i}` })
      other.publish({ topic: 'all/1', payload: `o${i}` })
      if (i % 50 === 0) await writer.drain()
    }
    await Promise.all([writer.drain(), other.drain()])
    for (const [i, reader] of readers.entries()) {
      const got = payloads(await reader.drain())
      const only = (letter: string): number[] =>
        got.flatMap((each) => (each[0] === letter ? [Number(each.slice(1))] : []))
      expect(only('o')).toEqual([...Array(300).keys()])
      // Each topic keeps its order; so do all topics of one publisher together.
      expect(only('w')).toEqual([...Array(300).keys()])
      expect(only('s').length).toBe(i % 4 === 0 ? 60 : 0)
    }
  })
})
