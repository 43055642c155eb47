import { setImmediate as turn } from 'node:timers/promises'
import { Broker, type ByteStream, type StreamOwner } from '@pipit/broker'
import { encode, type Packet, Parser, type Publish, type QoS } from '@pipit/protocol'
import { expect, onTestFinished, test } from 'vitest'

/** A stream that takes no bytes at once, as TLS never does: `taken` says that they have gone. */
class LateStream implements ByteStream {
  readonly remoteAddress = 'late:1'
  readonly reusesChunks = false
  pendingBytes = 0
  isPaused = false
  readonly received: Packet[] = []
  private readonly parser = new Parser({ protocolVersion: 5 })
  private readonly owner: StreamOwner

  constructor(broker: Broker, clientId: string) {
    this.owner = broker.accepting(this)
    this.send({ type: 'CONNECT', protocolVersion: 5, clientId, cleanStart: true, keepAlive: 0 })
  }

  send(...packets: Packet[]): void {
    for (const packet of packets) this.owner.onChunk(encode(packet, 5))
  }

  write(bytes: Uint8Array): boolean {
    this.pendingBytes += bytes.length
    this.parser.push(new Uint8Array(bytes))
    for (let packet = this.parser.next(); packet !== undefined; packet = this.parser.next()) {
      this.received.push(packet)
    }
    return false
  }

  taken(): void {
    this.pendingBytes = 0
    this.owner.onDrain()
  }

  get messages(): Publish[] {
    return this.received.filter((packet) => packet.type === 'PUBLISH')
  }

  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  end(): void {
    queueMicrotask(() => this.owner.onClose(undefined))
  }
  destroy(): void {
    this.end()
  }
}

test.each([1, 2] as const)(
  'a QoS %i message that comes while the stream is busy goes out once it is not',
  async (qos: QoS) => {
    const broker = new Broker()
    onTestFinished(() => broker.close())
    const stream = new LateStream(broker, 'late')
    await turn()
    stream.taken()
    stream.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 't', qos }] })
    await turn()
    // SUBACK has not gone: nothing is in flight whose acknowledgement would bring what waits.
    broker.publish('t', 'one', { qos })
    await turn()
    expect(stream.messages).toEqual([])
    stream.taken()
    await turn()
    expect(stream.messages.map(({ payload }) => String(Buffer.from(payload)))).toEqual(['one'])
  },
)

test('an own stream counts once for connectionsPerAddress', async () => {
  const broker = new Broker({ limits: { connectionsPerAddress: 1 } })
  onTestFinished(() => broker.close())
  const streams = ['first', 'second'].map((clientId) => new LateStream(broker, clientId))
  await turn()
  expect(streams.map(({ received }) => received.map(({ type }) => type))).toEqual([['CONNACK'], []])
})

test('what is on its way and the DISCONNECT behind it go out before a busy stream ends', async () => {
  const broker = new Broker()
  onTestFinished(() => broker.close())
  const stream = new LateStream(broker, 'late')
  await turn()
  stream.taken()
  stream.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 't', qos: 0 }] })
  await turn()
  broker.publish('t', 'one')
  broker.disconnect('late')
  expect(stream.received.slice(-2).map(({ type }) => type)).toEqual(['PUBLISH', 'DISCONNECT'])
})

test('who is taken over while its stream is busy is told so', async () => {
  const broker = new Broker()
  onTestFinished(() => broker.close())
  const stream = new LateStream(broker, 'late')
  await turn()
  new LateStream(broker, 'late')
  expect(stream.received.at(-1)).toMatchObject({ type: 'DISCONNECT', reasonCode: 0x8e })
})

test('who asks and takes no answers is not read from until it does', async () => {
  const broker = new Broker()
  onTestFinished(() => broker.close())
  const stream = new LateStream(broker, 'late')
  await turn()
  const pings: Packet[] = Array.from({ length: 10_000 }, () => ({ type: 'PINGREQ' }))
  for (let i = 0; i < 100 && !stream.isPaused; i++) {
    stream.send(...pings)
    await turn()
  }
  expect(stream.isPaused).toBe(true)
  while (stream.pendingBytes > 0) stream.taken()
  expect(stream.isPaused).toBe(false)
})
