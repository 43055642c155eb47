import type { Message } from './message.ts'
import { type Sink, type SinkOptions, SinkQueue } from './sink.ts'
import type { Scope } from './telemetry.ts'

/** Called with each message. A promise holds the acknowledgement back until it settles;
 *  one that rejects refuses the message (0x80 in MQTT 5.0). */
export type MessageHandler = (message: Message) => unknown

export interface HandlerOptions extends SinkOptions {
  /** How many messages may be in an async handler at once; default 1, which keeps their order. */
  readonly concurrency?: number
}

/** Gives messages to a handler, as many at once as it allows; the rest waits. */
export class HandlerSink implements Sink {
  private readonly handler: MessageHandler
  private readonly failed: (error: unknown) => void
  private readonly queue: SinkQueue
  private readonly concurrency: number
  private readonly manual: boolean
  private running = 0

  constructor(
    handler: MessageHandler,
    options: HandlerOptions,
    dropped: () => void,
    failed: (error: unknown) => void,
  ) {
    this.handler = handler
    this.failed = failed
    this.queue = new SinkQueue(options, dropped)
    this.concurrency = options.concurrency ?? 1
    this.manual = options.acknowledge === 'manual'
  }

  deliver(message: Message): void {
    if (this.running >= this.concurrency || this.queue.size > 0) this.queue.push(message)
    else this.run(message)
  }

  private run(message: Message): void {
    if (this.manual && message.qos > 0) message.isManual = true
    let result: unknown
    try {
      result = message.scope === undefined ? this.handler(message) : this.runInScope(message, message.scope)
    } catch (error) {
      this.refuse(message, error)
      return
    }
    if (isThenable(result)) {
      this.running++
      result.then(
        () => this.finish(message),
        (error: unknown) => {
          this.refuse(message, error)
          this.next()
        },
      )
    } else if (!this.manual) message.settle()
  }

  private runInScope(message: Message, scope: Scope): unknown {
    return scope.run(() => this.handler(message))
  }

  private finish(message: Message): void {
    if (!this.manual) message.settle()
    this.next()
  }

  private refuse(message: Message, error: unknown): void {
    message.failure = error
    if (this.manual) message.acknowledge(0x80)
    else message.settle(0x80)
    this.failed(error)
  }

  private next(): void {
    this.running--
    while (this.running < this.concurrency) {
      const message = this.queue.shift()
      if (message === undefined) return
      this.run(message)
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  )
}
