import type { QoS, ReasonCode, SubscribeProperties } from '@pipit/protocol'
import { Fifo } from './fifo.ts'
import type { Message } from './message.ts'
import { type Sink, type SinkOptions, SinkQueue } from './sink.ts'

interface Waiter {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void
  readonly reject: (error: unknown) => void
}

const DONE: IteratorResult<Message, undefined> = { done: true, value: undefined }

/** The messages of one `subscribe`, for `for await`. Asking for the next one acknowledges the last one;
 *  leaving the loop unsubscribes.
 *  As long as nobody has begun to read, `onMessage` handlers take its messages, if there are any. */
export class Messages implements AsyncIterableIterator<Message, undefined>, Sink {
  /** The server's answer for each filter: the granted QoS, or a refusal of 0x80 and above. */
  readonly granted: ReadonlyMap<string, QoS | ReasonCode>
  /** What the server sent with its SUBACK; empty before MQTT 5.0. */
  readonly properties: SubscribeProperties = {}
  private readonly queue: SinkQueue
  private readonly manual: boolean
  private readonly leave: (messages: Messages) => Promise<void>
  private readonly waiters = new Fifo<Waiter>()
  /** Given to the loop and not acknowledged; one, unless `next` is called ahead. */
  private readonly handed = new Fifo<Message>()
  private ended = false
  /** @internal Nobody has asked for a message yet. */
  isUnread = true
  private readonly begin: () => void
  private failure: { readonly error: unknown } | undefined = undefined

  /** @internal */
  constructor(
    granted: ReadonlyMap<string, QoS | ReasonCode>,
    options: SinkOptions,
    dropped: () => void,
    leave: (messages: Messages) => Promise<void>,
    begin: () => void,
  ) {
    this.begin = begin
    this.granted = granted
    this.queue = new SinkQueue(options, dropped)
    this.manual = options.acknowledge === 'manual'
    this.leave = leave
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next message. Ends (`done`) when the subscription does; rejects when it failed. */
  next(): Promise<IteratorResult<Message, undefined>> {
    if (this.isUnread) {
      this.isUnread = false
      this.begin()
    }
    this.handed.shift()?.settle()
    const message = this.queue.shift()
    if (message !== undefined) return Promise.resolve({ done: false, value: this.hand(message) })
    if (this.failure !== undefined) {
      const { error } = this.failure
      this.failure = undefined
      return Promise.reject(error)
    }
    if (this.ended) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }))
  }

  /** Ends the loop and unsubscribes. What was not handled is acknowledged unread. */
  async return(): Promise<IteratorResult<Message, undefined>> {
    if (!this.ended) {
      for (const message of this.handed.takeAll()) message.settle()
      this.end()
      for (const message of this.queue.takeAll()) message.settle()
      await this.leave(this)
    }
    return DONE
  }

  /** @internal */
  deliver(message: Message): void {
    const waiter = this.waiters.shift()
    if (waiter === undefined) this.queue.push(message)
    else waiter.resolve({ done: false, value: this.hand(message) })
  }

  /** @internal A handler has come that takes what nobody has read. */
  handOver(sink: Sink): void {
    if (this.isUnread) for (const message of this.queue.takeAll()) sink.deliver(message)
  }

  /** @internal The subscription is over: what is queued can still be read. */
  end(error?: unknown): void {
    if (this.ended) return
    this.ended = true
    if (error !== undefined) this.failure = { error }
    for (const waiter of this.waiters.takeAll()) {
      if (this.failure === undefined) waiter.resolve(DONE)
      else {
        this.failure = undefined
        waiter.reject(error)
      }
    }
  }

  private hand(message: Message): Message {
    if (message.qos > 0) {
      if (this.manual) message.isManual = true
      else this.handed.push(message)
    } else message.settle()
    return message
  }
}
