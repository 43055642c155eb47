import { matches } from '@pipit/protocol'
import type { Clock } from '../clock.ts'
import type { ReceivedMessage } from '../message.ts'

/** Called with each message. A promise holds its acknowledgement back, and the next message too. */
export type MessageCallback = (message: ReceivedMessage) => unknown

/** Messages that came and have not been delivered. */
export const INBOX_LIMIT = 1000

const LONGEST_TIMER_MS = 2_147_483_647

/** A message that is waited for. */
export interface AwaitedMessage {
  readonly message: Promise<ReceivedMessage | undefined>
  readonly end: () => void
}

interface Waiting {
  readonly message: ReceivedMessage
  readonly delivered: (result: unknown) => void
}

interface Reader {
  readonly filter: string
  readonly take: (message: ReceivedMessage) => void
  readonly once: boolean
}

/** Where messages go: to who waits for their topic, and to the callback, one after the other. */
export class Inbox {
  /** QoS 0 messages that gave way because nobody took them. */
  dropped = 0
  private callback: MessageCallback | undefined = undefined
  private readonly polled: boolean
  private readonly failed: (error: unknown) => void
  private readonly readers = new Set<Reader>()
  private readonly waiting: Waiting[] = []
  private readonly waits = new Set<() => void>()
  private delivering = false

  /** @param polled messages wait until `deliverAll` is called
   *  @param failed told what a callback threw; its message is refused */
  constructor(polled: boolean, failed: (error: unknown) => void) {
    this.polled = polled
    this.failed = failed
  }

  /** @returns a function that takes the callback back, unless there is another by then */
  onMessage(callback: MessageCallback): () => void {
    this.callback = callback
    this.flush()
    return () => {
      if (this.callback === callback) this.callback = undefined
    }
  }

  /** Waits for the next message that matches; undefined after `waitMs`, or when nothing can come any more.
   *  `end` lets go of it. */
  next(filter: string, waitMs: number, clock: Clock): AwaitedMessage {
    let end = (): void => {}
    const message = new Promise<ReceivedMessage | undefined>((resolve) => {
      const unread = this.add({ filter, take: resolve, once: true })
      const giveUp = (): void => resolve(undefined)
      this.waits.add(giveUp)
      // A timer that comes late has what arrived meanwhile still unread: one more turn for that.
      let stopTimer = clock.after(Math.min(waitMs, LONGEST_TIMER_MS), () => {
        stopTimer = clock.after(0, giveUp)
      })
      end = () => {
        unread()
        stopTimer()
        this.waits.delete(giveUp)
      }
    })
    return { message, end: () => end() }
  }

  /** Says whether somebody waits for a message of exactly this filter. */
  isAwaited(filter: string): boolean {
    return [...this.readers].some((reader) => reader.filter === filter)
  }

  /** Nothing can come any more. */
  giveUpWaiting(): void {
    for (const giveUp of this.waits) giveUp()
  }

  /** Hands each message that matches to `take`. @returns a function that ends that */
  each(filter: string, take: (message: ReceivedMessage) => void): () => void {
    return this.add({ filter, take, once: false })
  }

  /** Takes a message. @param wanted a subscription asks for it, not only somebody who waits for one message
   *  @returns settles when the callback has had it */
  receive(message: ReceivedMessage, wanted: boolean): unknown {
    let taken = false
    for (const reader of this.readers) {
      if (!matches(reader.filter, message.topic)) continue
      if (reader.once) this.readers.delete(reader)
      else taken = true
      reader.take(message)
    }
    if (!wanted || (taken && this.callback === undefined)) return undefined
    return new Promise((resolve) => {
      this.waiting.push({ message, delivered: resolve })
      this.makeRoom()
      this.flush()
    })
  }

  /** Delivers what is there, without waiting for what the callback may wait for; gives how many. */
  deliverAll(): number {
    const { callback } = this
    if (callback === undefined) return 0
    const messages = this.waiting.splice(0)
    for (const waiting of messages) void this.deliver(callback, waiting)
    return messages.length
  }

  /** Lets go of what waits at QoS 1 and 2: it will come again. */
  dropUnacknowledged(): void {
    for (const waiting of this.waiting.splice(0)) {
      if (waiting.message.qos === 0) this.waiting.push(waiting)
      else waiting.delivered(undefined)
    }
  }

  private add(reader: Reader): () => void {
    this.readers.add(reader)
    return () => this.readers.delete(reader)
  }

  private flush(): void {
    if (!this.polled && !this.delivering) void this.deliverInOrder()
  }

  private async deliverInOrder(): Promise<void> {
    this.delivering = true
    for (;;) {
      const { callback } = this
      const next = callback === undefined ? undefined : this.waiting.shift()
      if (callback === undefined || next === undefined) break
      await this.deliver(callback, next)
    }
    this.delivering = false
  }

  /** Settles when the callback is done; never rejects. */
  private async deliver(callback: MessageCallback, { message, delivered }: Waiting): Promise<void> {
    const result = run(callback, message)
    delivered(result)
    await result.catch(this.failed)
  }

  private makeRoom(): void {
    if (this.waiting.length <= INBOX_LIMIT) return
    const oldest = this.waiting.findIndex(({ message }) => message.qos === 0)
    // QoS 1 and 2 are bounded by what the broker may send unacknowledged.
    if (oldest === -1) return
    for (const { delivered } of this.waiting.splice(oldest, 1)) delivered(undefined)
    this.dropped++
  }
}

/** The callback's promise; what it throws rejects it. */
async function run(callback: MessageCallback, message: ReceivedMessage): Promise<unknown> {
  return callback(message)
}
