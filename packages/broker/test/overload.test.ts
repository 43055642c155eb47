import type { Socket } from 'node:net'
import { Broker, type BrokerOptions, type OverflowPolicy } from '@pipit/broker'
import { encode, type Publish } from '@pipit/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import { Peer, payloads } from './peer.ts'

let broker: Broker

afterEach(() => broker.close())

async function started(options: BrokerOptions = {}): Promise<number> {
  broker = new Broker(options)
  return (await broker.listen({ port: 0 })).port
}

const KEEP = { sessionExpiryInterval: 3600 }

describe('a frozen subscriber', () => {
  test('is bounded and counted, and the others never wait', async () => {
    const outputBytes = 1_000_000
    const port = await started({ limits: { outputBytes } })
    const frozen = await Peer.open(port, { clientId: 'frozen' })
    const lively = await Peer.open(port, { clientId: 'lively' })
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    await frozen.subscribe('t')
    await lively.subscribe('t')
    frozen.pause()
    const payload = 'x'.repeat(10_000)
    for (let sent = 0; broker.ledger.totals.get('slow receiver') === undefined; sent += 100) {
      expect(sent).toBeLessThan(10_000)
      for (let i = 0; i < 100; i++) publisher.publish({ topic: 't', payload })
      await publisher.drain()
      expect(payloads(await lively.drain()).length).toBe(100)
    }
    const [connection] = [...broker.connections].filter((each) => each.clientId === 'frozen')
    expect(connection?.output.backlog).toBeLessThanOrEqual(outputBytes)
    expect(broker.ledger.list()[0]).toMatchObject({ clientId: 'frozen', topic: 't', reason: 'slow receiver' })
    // What it had before it froze is whole: it goes on behind a gap, not behind garbage.
    frozen.resume()
    expect(payloads(await frozen.drain()).every((each) => each === payload)).toBe(true)
  })

  test('that takes nothing for too long is disconnected', async () => {
    let now = 1_000_000
    const port = await started({ now: () => now, limits: { slowReceiverTimeout: 10 } })
    const frozen = await Peer.open(port, { clientId: 'frozen' })
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    await frozen.subscribe('t')
    frozen.pause()
    const connection = [...broker.connections].find((each) => each.clientId === 'frozen')
    while (connection?.output.blocked === false) {
      publisher.publish({ topic: 't', payload: 'x'.repeat(100_000) })
      await publisher.drain()
    }
    now += 9_999
    broker.sweep()
    expect(connection?.closed).toBe(false)
    now += 1
    broker.sweep()
    expect(connection?.closed).toBe(true)
  })

  test('at QoS 1 has its messages wait in its queue, in order', async () => {
    const port = await started()
    const frozen = await Peer.open(port, { clientId: 'frozen', properties: { receiveMaximum: 2 } })
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    await frozen.subscribe('t', 1)
    for (let i = 0; i < 10; i++) publisher.publish({ topic: 't', qos: 1, payload: String(i) })
    await publisher.drain()
    const got: string[] = []
    while (got.length < 10) {
      const message = await frozen.next('PUBLISH')
      got.push(...payloads([message]))
      frozen.send({ type: 'PUBACK', packetId: message.packetId, reasonCode: 0 })
    }
    expect(got).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  })
})

describe('a publish storm into an offline session', () => {
  async function storm(overflowPolicy: OverflowPolicy): Promise<{ acks: number[]; kept: string[] }> {
    const port = await started({ overflowPolicy, limits: { queuedMessages: 5 } })
    const away = await Peer.open(port, { clientId: 'away', properties: KEEP })
    await away.subscribe('t', 1)
    await away.leave()
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 8; i++) publisher.publish({ topic: 't', qos: 1, payload: String(i) })
    const answers = await publisher.drain()
    const acks = answers.flatMap((packet) => (packet.type === 'PUBACK' ? [packet.reasonCode] : []))
    const back = await Peer.open(port, { clientId: 'away', cleanStart: false, properties: KEEP })
    return { acks, kept: payloads(await back.drain()) }
  }

  test('drops the oldest, and counts them', async () => {
    const { acks, kept } = await storm('drop-oldest')
    expect(acks).toEqual(new Array(8).fill(0))
    expect(kept).toEqual(['3', '4', '5', '6', '7'])
    expect(broker.ledger.list()).toMatchObject([
      { clientId: 'away', topic: 't', reason: 'queue full', count: 3 },
    ])
  })

  test('drops the newest, and counts them', async () => {
    const { kept } = await storm('drop-newest')
    expect(kept).toEqual(['0', '1', '2', '3', '4'])
    expect(broker.ledger.totals.get('queue full')).toBe(3)
  })

  test('refuses the publisher with 0x97', async () => {
    const { acks, kept } = await storm('refuse')
    expect(acks).toEqual([0, 0, 0, 0, 0, 0x97, 0x97, 0x97])
    expect(kept).toEqual(['0', '1', '2', '3', '4'])
  })

  test('disconnects a client that is there and does not acknowledge', async () => {
    const port = await started({ overflowPolicy: 'disconnect', limits: { queuedMessages: 2 } })
    const slow = await Peer.open(port, { clientId: 'slow', properties: { receiveMaximum: 1 } })
    await slow.subscribe('t', 1)
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 4; i++) publisher.publish({ topic: 't', qos: 1 })
    expect(await slow.next('DISCONNECT')).toMatchObject({ reasonCode: 0x97 })
    await slow.closed()
  })

  test('is bounded by what all sessions hold together', async () => {
    const port = await started({ limits: { queuedMessagesInAll: 3 } })
    for (const clientId of ['a', 'b']) {
      const away = await Peer.open(port, { clientId, properties: KEEP })
      await away.subscribe('t', 1)
      await away.leave()
    }
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let i = 0; i < 4; i++) publisher.publish({ topic: 't', qos: 1, payload: String(i) })
    await publisher.drain()
    expect(broker.queueTotals.messages).toBe(3)
    expect(broker.ledger.totals.get('queue full')).toBe(5)
  })
})

describe('limits', () => {
  test('connections beyond the limit get CONNACK 0x89', async () => {
    const port = await started({ limits: { connections: 1 } })
    const first = await Peer.open(port, { clientId: 'first' })
    const second = await Peer.open(port, { clientId: 'second' })
    expect(second.connack?.reasonCode).toBe(0x89)
    await second.closed()
    await first.leave()
    expect((await Peer.open(port, { clientId: 'third' })).connack?.reasonCode).toBe(0)
  })

  test('connections of one user beyond the limit get CONNACK 0x97', async () => {
    const port = await started({ limits: { connectionsPerUser: 1 } })
    await Peer.open(port, { clientId: 'a', username: 'u' })
    expect((await Peer.open(port, { clientId: 'b', username: 'u' })).connack?.reasonCode).toBe(0x97)
    expect((await Peer.open(port, { clientId: 'c', username: 'v' })).connack?.reasonCode).toBe(0)
  })

  test('connections of one address beyond the limit, or beyond the rate, are closed', async () => {
    const port = await started({ now: () => 0, limits: { connectionsPerAddress: 2, connectionRate: 3 } })
    const [first] = [await Peer.open(port, { clientId: 'a' }), await Peer.open(port, { clientId: 'b' })]
    await expect(Peer.open(port, { clientId: 'c' })).rejects.toThrow('closed')
    await first?.leave()
    await expect(Peer.open(port, { clientId: 'd' })).rejects.toThrow('closed')
  })

  test('connections of one address that have not logged in are bounded; one that logs in makes room', async () => {
    const port = await started({ limits: { pendingPerAddress: 2 } })
    const { connect } = await import('node:net')
    const half = Array.from({ length: 2 }, () => connect(port, '127.0.0.1'))
    while (broker.connections.size < 2) await new Promise(setImmediate)
    await expect(Peer.open(port, { clientId: 'a' })).rejects.toThrow('closed')
    half[0]?.destroy()
    while (broker.connections.size > 1) await new Promise(setImmediate)
    for (const clientId of ['b', 'c', 'd']) await Peer.open(port, { clientId })
    half[1]?.destroy()
  })

  test('a WebSocket handshake that does not go on is pending too, and its end makes room', async () => {
    broker = new Broker({ limits: { pendingPerAddress: 1 } })
    const { port } = await broker.listenWebSocket({ port: 0 })
    const { connect } = await import('node:net')
    const closed = (socket: Socket): Promise<unknown> =>
      new Promise((resolve) =>
        socket
          .on('error', () => undefined)
          .on('close', resolve)
          .resume(),
      )
    const open = async (): Promise<Socket> => {
      const socket = connect(port, '127.0.0.1')
      await new Promise((resolve) => socket.on('connect', resolve))
      return socket
    }
    const half = await open()
    half.write('GET /mqtt HTTP/1.1\r\nHost: x\r\n')
    await closed(await open())
    // An answer to it says that this one has come and gone, too.
    const gone = closed(half)
    half.write('\r\n')
    await gone
    for (let hasRoom = false; !hasRoom; ) {
      const socket = await open()
      socket.write('GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n')
      let said = ''
      socket.on('data', (chunk) => {
        said += String(chunk)
      })
      await closed(socket)
      hasRoom = said.startsWith('HTTP/1.1 426')
    }
  })

  test('sessions beyond the limit get CONNACK 0x97', async () => {
    const port = await started({ limits: { sessions: 1 } })
    await Peer.open(port, { clientId: 'a' })
    expect((await Peer.open(port, { clientId: 'b' })).connack?.reasonCode).toBe(0x97)
  })

  test('a client identifier too long gets CONNACK 0x85', async () => {
    const port = await started({ limits: { clientIdLength: 5 } })
    expect((await Peer.open(port, { clientId: '123456' })).connack?.reasonCode).toBe(0x85)
  })

  test('subscriptions beyond the limit get SUBACK 0x97', async () => {
    const port = await started({ limits: { subscriptionsPerClient: 1 } })
    const peer = await Peer.open(port, { clientId: 'a' })
    expect(await peer.subscribe('one')).toEqual([0])
    expect(await peer.subscribe('two')).toEqual([0x97])
    expect(await peer.subscribe('one', 1)).toEqual([1])
  })

  test('retained messages beyond the limit get PUBACK 0x97, one that is there may change', async () => {
    const port = await started({ limits: { retainedMessages: 1 } })
    const peer = await Peer.open(port, { clientId: 'a' })
    const codes: number[] = []
    for (const topic of ['one', 'two', 'one']) {
      peer.publish({ topic, qos: 1, retain: true, payload: 'x' })
      codes.push((await peer.next('PUBACK')).reasonCode)
    }
    expect(codes).toEqual([0x10, 0x97, 0x10])
    expect(broker.retained.size).toBe(1)
  })

  test('a packet beyond Maximum Packet Size, which CONNACK announced, ends with 0x95', async () => {
    const port = await started({ limits: { maximumPacketSize: 100 } })
    const peer = await Peer.open(port, { clientId: 'a' })
    expect(peer.connack?.properties?.maximumPacketSize).toBe(100)
    peer.publish({ topic: 't', payload: 'x'.repeat(100) })
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x95 })
  })

  test('QoS 2 messages beyond Receive Maximum, which CONNACK announced, end with 0x93', async () => {
    const port = await started({ limits: { receiveMaximum: 2 } })
    const peer = await Peer.open(port, { clientId: 'a' })
    expect(peer.connack?.properties?.receiveMaximum).toBe(2)
    for (let i = 0; i < 3; i++) peer.publish({ topic: 't', qos: 2 })
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x93 })
  })

  test('no CONNECT in time: closed', async () => {
    let now = 0
    const port = await started({ now: () => now, limits: { connectTimeout: 5 } })
    const { connect } = await import('node:net')
    const socket = connect(port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.on('close', resolve).resume())
    while (broker.connections.size === 0) await new Promise(setImmediate)
    now = 5000
    broker.sweep()
    await closed
  })

  test.each(['TCP', 'WebSocket'])(
    'a CONNECT that comes byte by byte over %s: closed in time',
    async (kind) => {
      let now = 0
      broker = new Broker({ now: () => now, limits: { connectTimeout: 5 } })
      const { port } = await (kind === 'TCP'
        ? broker.listen({ port: 0 })
        : broker.listenWebSocket({ port: 0 }))
      const { connect } = await import('node:net')
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      const closed = new Promise((resolve) => socket.on('close', resolve).resume())
      const bytes = encode(
        { type: 'CONNECT', protocolVersion: 5, clientId: 'slow-loris', cleanStart: true, keepAlive: 0 },
        5,
      )
      // A frame is masked with nothing: each holds one byte.
      const framed = (byte: number): Uint8Array => Uint8Array.of(0x82, 0x81, 0, 0, 0, 0, byte)
      if (kind === 'WebSocket') {
        const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
        socket.write(
          `GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n`,
        )
      }
      let isClosed = false
      void closed.then(() => {
        isClosed = true
      })
      for (let i = 0; i < bytes.length - 1 && now < 5000; i++) {
        const byte = bytes[i] ?? 0
        socket.write(kind === 'TCP' ? Uint8Array.of(byte) : framed(byte))
        const heard = (): number => [...broker.connections][0]?.bytesReceived ?? 0
        while (heard() <= i) await new Promise(setImmediate)
        expect(isClosed).toBe(false)
        now += 500
        broker.sweep()
      }
      await closed
      expect(now).toBe(5000)
    },
  )

  test('a client over its rate is read more slowly, and disconnected with 0x96 when it goes on', async () => {
    const port = await started({ now: () => 1000, limits: { messageRate: 100, rateTimeout: 2 } })
    const peer = await Peer.open(port, { clientId: 'a' })
    for (let i = 0; i < 105; i++) peer.publish({ topic: 't', qos: 1 })
    expect((await peer.drain()).length).toBe(105)
    for (let i = 0; i < 1000; i++) peer.publish({ topic: 't' })
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x96 })
  })

  test('a payload announced as UTF-8 that is none gets 0x99, when that is checked', async () => {
    const port = await started({ checkPayloadFormat: true })
    const peer = await Peer.open(port, { clientId: 'a' })
    const properties = { payloadFormatIndicator: 1 as const }
    peer.publish({ topic: 't', qos: 1, payload: Uint8Array.of(0xff), properties })
    expect((await peer.next('PUBACK')).reasonCode).toBe(0x99)
    peer.publish({ topic: 't', payload: Uint8Array.of(0xff), properties })
    expect(await peer.next('DISCONNECT')).toMatchObject({ reasonCode: 0x99 })
  })

  test('wrong limits are named', () => {
    expect(() => new Broker({ limits: { queuedMessages: -1 } })).toThrow('limits.queuedMessages is -1')
    expect(() => new Broker({ limits: { receiveMaximum: 0 } })).toThrow('1 to 65535')
    broker = new Broker()
  })
})

describe('retained replay', () => {
  test('of 1,000,000 messages comes whole to one subscriber while another is served', {
    timeout: 180_000,
  }, async () => {
    const count = 1_000_000
    const port = await started()
    const publisher = await Peer.open(port, { clientId: 'publisher' })
    for (let from = 0; from < count; from += 10_000) {
      const frames: Uint8Array[] = []
      for (let i = from; i < from + 10_000; i++) frames.push(encode(retained(`r/${i}`, String(i)), 5))
      await publisher.write(Buffer.concat(frames))
    }
    await publisher.drain()
    expect(broker.retained.size).toBe(count)
    const slow = await Peer.open(port, { clientId: 'slow', properties: { receiveMaximum: 100 } })
    slow.pause()
    slow.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: '#', qos: 0 }] })
    const other = await Peer.open(port, { clientId: 'other' })
    await other.subscribe('live')
    publisher.publish({ topic: 'live', payload: 'now' })
    await publisher.drain()
    // The other is served although the first has taken nothing, and what waits for the first is little.
    expect(payloads([await other.next('PUBLISH')])).toEqual(['now'])
    const connection = [...broker.connections].find((each) => each.clientId === 'slow')
    expect(connection?.output.backlog).toBeLessThan(8_000_000)
    slow.resume()
    const seen = new Set<string>()
    while (seen.size < count) {
      const message = await slow.next('PUBLISH')
      if (message.retain) seen.add(message.topic)
      for (const packet of slow.received.splice(0))
        if (packet.type === 'PUBLISH' && packet.retain) seen.add(packet.topic)
    }
    expect(seen.size).toBe(count)
  })
})

function retained(topic: string, payload: string): Publish {
  return {
    type: 'PUBLISH',
    topic,
    payload: Buffer.from(payload),
    qos: 0,
    retain: true,
    dup: false,
    packetId: 0,
  }
}
