import { Fifo } from './fifo.ts'
import type { Message } from './message.ts'

/** Where messages go: an iterator's queue or a handler's. */
export interface Sink {
  /** Nobody has asked it for a message yet: handlers of every message go first. */
  readonly isUnread?: boolean
  /** Takes a message; calls its `settle` once it has been handled. */
  deliver(message: Message): void
}

/** What is lost when QoS 0 messages come faster than they are handled. */
export type OverflowPolicy = 'dropOldest' | 'dropNewest'

export interface SinkOptions {
  /** QoS 0 messages held for a slow receiver; default 10000. QoS 1 and 2 are bounded by Receive Maximum. */
  readonly queueLimitMessages?: number
  /** Bytes of QoS 0 payloads held for a slow receiver; default 16777216. */
  readonly queueLimitBytes?: number
  /** Default `dropOldest`; each drop is counted in `client.metrics()`. */
  readonly overflow?: OverflowPolicy
  /** `auto` (default): when the loop asks for the next message or the handler is done;
   *  `manual`: when `message.acknowledge()` is called. */
  readonly acknowledge?: 'auto' | 'manual'
}

/** A receiver's queue: QoS 0 messages in it are bounded here, the others by their unsent acknowledgements. */
export class SinkQueue {
  private readonly waiting = new Fifo<Message>()
  private readonly limitMessages: number
  private readonly limitBytes: number
  private readonly overflow: OverflowPolicy
  private readonly dropped: () => void
  private unconfirmed = 0
  private unconfirmedBytes = 0

  constructor(options: SinkOptions, dropped: () => void) {
    this.limitMessages = options.queueLimitMessages ?? 10_000
    this.limitBytes = options.queueLimitBytes ?? 16_777_216
    this.overflow = options.overflow ?? 'dropOldest'
    this.dropped = dropped
  }

  get size(): number {
    return this.waiting.size
  }

  push(message: Message): void {
    if (message.qos === 0) {
      if (this.isFull(message)) {
        this.dropped()
        if (this.overflow === 'dropNewest' || !this.dropOldest(message)) {
          message.settle()
          return
        }
      }
      this.unconfirmed++
      this.unconfirmedBytes += message.payload.length
    }
    this.waiting.push(message)
  }

  shift(): Message | undefined {
    const message = this.waiting.shift()
    if (message !== undefined && message.qos === 0) this.forget(message)
    return message
  }

  takeAll(): Message[] {
    this.unconfirmed = 0
    this.unconfirmedBytes = 0
    return this.waiting.takeAll()
  }

  private isFull(message: Message): boolean {
    return (
      this.unconfirmed >= this.limitMessages ||
      this.unconfirmedBytes + message.payload.length > this.limitBytes
    )
  }

  /** Makes room by dropping the oldest QoS 0 messages; false when even that gives none. */
  private dropOldest(message: Message): boolean {
    if (message.payload.length > this.limitBytes) return false
    const confirmed: Message[] = []
    for (let first = true; this.isFull(message); first = false) {
      const oldest = this.waiting.shift()
      if (oldest === undefined) break
      if (oldest.qos > 0) confirmed.push(oldest)
      else {
        this.forget(oldest)
        oldest.settle()
        if (!first) this.dropped()
      }
    }
    if (confirmed.length > 0)
      for (const kept of [...confirmed, ...this.waiting.takeAll()]) this.waiting.push(kept)
    return true
  }

  private forget(message: Message): void {
    this.unconfirmed--
    this.unconfirmedBytes -= message.payload.length
  }
}
