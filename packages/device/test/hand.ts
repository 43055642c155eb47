import type { Clock } from '../src/clock.ts'
import type { DeviceLink, DeviceMessage, DevicePublishOptions } from '../src/link.ts'

/** A clock that a test turns by hand. */
export class HandClock implements Clock {
  private time = 0
  private readonly timers = new Map<symbol, { at: number; callback: () => void }>()

  now(): number {
    return this.time
  }

  after(ms: number, callback: () => void): () => void {
    const key = Symbol()
    this.timers.set(key, { at: this.time + ms, callback })
    return () => this.timers.delete(key)
  }

  get waiting(): number {
    return this.timers.size
  }

  /** Goes forward, calling back what is due in the order of its time. */
  pass(ms: number): void {
    const end = this.time + ms
    for (;;) {
      const due = [...this.timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0]
      if (due === undefined) break
      this.timers.delete(due[0])
      this.time = due[1].at
      due[1].callback()
    }
    this.time = end
  }
}

export interface Said {
  readonly topic: string
  readonly payload: string
  readonly options: DevicePublishOptions | undefined
}

/** A connection that keeps what a device says and hands it what a test says. */
export class HandLink implements DeviceLink {
  readonly said: Said[] = []
  readonly subscribed: string[] = []
  failing: Error | undefined = undefined
  private readonly waiters: (() => void)[] = []
  private readonly connectHandlers = new Set<() => void>()
  private readonly inboxes = new Map<string, Inbox>()

  async publish(topic: string, payload: string | Uint8Array, options?: DevicePublishOptions): Promise<void> {
    if (this.failing !== undefined) throw this.failing
    this.said.push({
      topic,
      payload: typeof payload === 'string' ? payload : new TextDecoder().decode(payload),
      options,
    })
    for (const wake of this.waiters.splice(0)) wake()
  }

  async subscribe(filter: string): Promise<AsyncIterable<DeviceMessage>> {
    this.subscribed.push(filter)
    const inbox = new Inbox()
    this.inboxes.set(filter, inbox)
    return inbox.messages()
  }

  onConnect(handler: () => void): () => void {
    this.connectHandlers.add(handler)
    return () => this.connectHandlers.delete(handler)
  }

  reconnect(): void {
    for (const handler of this.connectHandlers) handler()
  }

  /** Hands a message to who subscribed its topic; without one, to the first. */
  tell(payload: string, topic = this.subscribed[0] ?? '', properties?: DeviceMessage['properties']): void {
    this.inboxes.get(topic)?.push({ topic, payload: new TextEncoder().encode(payload), properties })
  }

  end(): void {
    for (const inbox of this.inboxes.values()) inbox.push(undefined)
  }

  /** The `count` first things said, once there are as many. */
  async heard(count: number): Promise<Said[]> {
    while (this.said.length < count) await new Promise<void>((resolve) => this.waiters.push(resolve))
    return this.said.splice(0, count)
  }
}

class Inbox {
  private readonly queue: (DeviceMessage | undefined)[] = []
  private wake: (() => void) | undefined = undefined

  push(message: DeviceMessage | undefined): void {
    this.queue.push(message)
    this.wake?.()
  }

  async *messages(): AsyncGenerator<DeviceMessage> {
    for (;;) {
      while (this.queue.length > 0) {
        const message = this.queue.shift()
        if (message === undefined) return
        yield message
      }
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }
}
