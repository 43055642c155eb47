import { QueueFullError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { Publication } from './publication.ts'
import type { policyOf, QueuePolicy } from './queue-policies.ts'

/** What waits to be sent, while offline or while the server has enough in flight. */
export interface QueueOptions {
  /** Default 100000. */
  readonly limitMessages?: number
  /** Payloads and topics; default 67108864. */
  readonly limitBytes?: number
  /** What gives way when it is full. `reject` (default): the new message, with QUEUE_FULL;
   *  `dropOldest`: the oldest one, with MESSAGE_DROPPED;
   *  `newestPerTopic`: a message replaces the one queued for its topic, full or not; then as `reject`. */
  readonly policy?: 'reject' | 'dropOldest' | 'newestPerTopic'
}

/** A bounded queue of publications. Settled ones (aborted, timed out, expired) leave it by themselves. */
export class PublishQueue {
  /** Messages that wait. */
  size = 0
  bytes = 0
  /** Those of QoS 0 among them. */
  atMostOnce = 0
  private readonly waiting = new Fifo<Publication>()
  readonly limitBytes: number
  readonly dropped: (reason: string) => void
  readonly abandoned: (publication: Publication) => void
  private readonly limitMessages: number
  private readonly policy: QueuePolicy | undefined

  /** @param abandoned told of each message that was settled while it waited */
  constructor(
    options: QueueOptions,
    dropped: (reason: string) => void,
    abandoned: (publication: Publication) => void,
    policies: typeof policyOf | undefined,
  ) {
    this.abandoned = abandoned
    this.limitMessages = options.limitMessages ?? 100_000
    this.limitBytes = options.limitBytes ?? 67_108_864
    this.dropped = dropped
    this.policy = policies?.(options.policy, this)
  }

  /** Takes a message back, whatever the bounds say: it was ours before. */
  restore(publication: Publication): void {
    publication.queue = this
    this.count(publication, 1)
    this.policy?.entered?.(publication)
    this.waiting.push(publication)
  }

  /** Takes a message, or fails it. */
  push(publication: Publication): void {
    this.policy?.admit(publication)
    if (this.isFullFor(publication)) {
      this.dropped('queueFull')
      publication.fail(
        new QueueFullError(`the queue is full; it holds ${this.size} messages, ${this.bytes} bytes`),
      )
    } else this.restore(publication)
  }

  /** Says whether there is no room for a message. */
  isFullFor(publication: Publication): boolean {
    return this.size >= this.limitMessages || this.bytes + bytesOf(publication) > this.limitBytes
  }

  peek(): Publication | undefined {
    for (;;) {
      const publication = this.waiting.peek()
      if (publication === undefined || publication.queue === this) return publication
      this.waiting.shift()
    }
  }

  shift(): Publication | undefined {
    const publication = this.peek()
    if (publication === undefined) return undefined
    this.waiting.shift()
    this.leave(publication)
    return publication
  }

  takeAll(): Publication[] {
    const all: Publication[] = []
    for (let next = this.shift(); next !== undefined; next = this.shift()) all.push(next)
    return all
  }

  /** Takes out a message that was settled while it waited. */
  abandon(publication: Publication): void {
    this.leave(publication)
    this.abandoned(publication)
  }

  /** Takes a message out of the counts; its place is given up when most places are such. */
  private leave(publication: Publication): void {
    publication.queue = undefined
    this.count(publication, -1)
    this.policy?.left?.(publication)
    if (this.waiting.size > 64 && this.waiting.size > this.size * 2) {
      this.waiting.filter((waiting) => waiting.queue === this)
    }
  }

  private count(publication: Publication, sign: 1 | -1): void {
    this.size += sign
    this.bytes += sign * bytesOf(publication)
    if (publication.qos === 0) this.atMostOnce += sign
  }
}

/** What a message counts as. */
export function bytesOf(publication: Publication): number {
  return publication.payload.length + publication.topic.length
}
