import { encode, type Packet, Parser, type PublishProperties, type QoS } from '@pipit/protocol'
import type { Broker } from './broker.ts'
import type { ByteStream, StreamOwner } from './listeners/stream.ts'

export interface LocalSubscribeOptions {
  /** Default 0. */
  readonly qos?: QoS
  /** About how many messages wait here for the loop; default 1000. Beyond, QoS 1 and 2 wait in the session's
   *  queue, and QoS 0 in its output, each within the broker's limits for any client. */
  readonly capacity?: number
  /** Retained messages first; default true. */
  readonly retained?: boolean
}

/** An application message, as a subscription in process gives it. */
export interface LocalMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: PublishProperties
}

interface Waiting {
  readonly message: LocalMessage
  readonly packetId: number
}

/** A subscriber in the broker's own process: a client like any other, with a connection that is no socket.
 *  What holds for clients (matching, shared subscriptions, queues, limits, the loss ledger) holds for it. */
export class LocalSubscription implements ByteStream, AsyncIterableIterator<LocalMessage> {
  readonly remoteAddress = 'local:0'
  readonly reusesChunks = false
  private readonly capacity: number
  private readonly parser = new Parser({ protocolVersion: 5, strict: false })
  private readonly waiting: Waiting[] = []
  private readonly unread: Uint8Array[] = []
  private readonly takers: ((result: IteratorResult<LocalMessage>) => void)[] = []
  private owner: StreamOwner | undefined = undefined
  private unacknowledged: Waiting | undefined = undefined
  private ended = false

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Makes the session and subscribes. */
  static open(
    broker: Broker,
    clientId: string,
    topicFilter: string,
    options: LocalSubscribeOptions,
  ): LocalSubscription {
    const { qos = 0, capacity = 1000, retained = true } = options
    if (!(capacity >= 1 && capacity <= 65535))
      throw new RangeError(`capacity is ${capacity}; it takes 1 to 65535`)
    const stream = new LocalSubscription(capacity)
    const subscriptions = [{ topicFilter, qos, retainHandling: retained ? (0 as const) : (2 as const) }]
    const packet = encode({ type: 'SUBSCRIBE', packetId: 1, subscriptions }, 5)
    stream.owner = broker.acceptLocal(stream, clientId, capacity)
    stream.owner.onChunk(packet)
    return stream
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next message. Asking for one acknowledges the one before. */
  next(): Promise<IteratorResult<LocalMessage>> {
    this.acknowledge()
    const first = this.take()
    if (first !== undefined) return Promise.resolve({ done: false, value: first })
    if (this.ended) return Promise.resolve(DONE)
    return new Promise((resolve) => this.takers.push(resolve))
  }

  /** Ends the subscription; leaving the loop does so. */
  return(): Promise<IteratorResult<LocalMessage>> {
    this.acknowledge()
    if (!this.ended) this.send({ type: 'DISCONNECT', reasonCode: 0 })
    return Promise.resolve(DONE)
  }

  // ---- what the connection sees

  get pendingBytes(): number {
    return this.unread.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  write(bytes: Uint8Array): boolean {
    if (this.ended) return true
    if (this.unread.length > 0 || this.waiting.length >= this.capacity) {
      this.unread.push(bytes)
      return false
    }
    // The bytes are the connection's again when this returns, and the messages are not.
    this.read(new Uint8Array(bytes))
    return true
  }

  pause(): void {}
  resume(): void {}

  end(): void {
    this.destroy()
  }

  destroy(): void {
    if (this.ended) return
    this.ended = true
    for (const taker of this.takers.splice(0)) taker(DONE)
    queueMicrotask(() => this.owner?.onClose(undefined))
  }

  private read(bytes: Uint8Array): void {
    this.parser.push(bytes)
    for (let packet = this.parser.next(); packet !== undefined; packet = this.parser.next())
      this.handle(packet)
  }

  private handle(packet: Packet): void {
    if (packet.type === 'PUBLISH') {
      const { topic, payload, qos, retain, properties = {}, packetId } = packet
      this.waiting.push({ message: { topic, payload, qos, retain, properties }, packetId })
      const taker = this.takers.shift()
      if (taker === undefined) return
      const value = this.take()
      taker(value === undefined ? DONE : { done: false, value })
    } else if (packet.type === 'PUBREL') {
      this.send({ type: 'PUBCOMP', packetId: packet.packetId, reasonCode: 0 })
    } else if (packet.type === 'SUBACK' && (packet.reasonCodes[0] ?? 0) >= 0x80) {
      this.send({ type: 'DISCONNECT', reasonCode: 0 })
    }
  }

  private take(): LocalMessage | undefined {
    const first = this.waiting.shift()
    if (first === undefined) return undefined
    this.unacknowledged = first
    if (this.waiting.length === 0 && this.unread.length > 0) {
      for (const chunk of this.unread.splice(0)) this.read(chunk)
      queueMicrotask(() => this.owner?.onDrain())
    }
    return first.message
  }

  private acknowledge(): void {
    const last = this.unacknowledged
    this.unacknowledged = undefined
    if (last === undefined || last.message.qos === 0 || this.ended) return
    const type = last.message.qos === 1 ? 'PUBACK' : 'PUBREC'
    this.send({ type, packetId: last.packetId, reasonCode: 0 })
  }

  /** The connection reads as if from a socket, but not from within its own write. */
  private send(packet: Packet): void {
    const bytes = encode(packet, 5)
    queueMicrotask(() => this.owner?.onChunk(bytes))
  }
}

const DONE: IteratorResult<LocalMessage> = { done: true, value: undefined }
