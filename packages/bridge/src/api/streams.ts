import { SubscriptionIndex } from '@pipit/protocol'
import type { Engine } from '../engine/engine.ts'
import { compareCursors, type StoredMessage } from '../engine/messages.ts'
import type { Listener } from './listener.ts'

/** Nobody looks for messages more often unless told that there are some. */
const LOOK_EVERY_MS = 1_000
const HEARTBEAT_MS = 15_000
const PAGE = 500
/** Sent in one turn, and what an event holds besides its payload, about. */
const SLICE_BYTES = 65_536
const BESIDES_BYTES = 200

/** The end of the log, read once for all who listen: each message goes to those whose filter matches. Nobody waits
 *  for anybody: who is slow is left out, and told so. */
export class Streams {
  /** Messages that were not sent to a slow listener. */
  missed = 0
  private readonly engine: Engine
  private readonly index = new SubscriptionIndex<Listener>()
  private readonly listeners = new Set<Listener>()
  private cursor: string | undefined = undefined
  private reading: Promise<void> | undefined = undefined
  private isStale = false
  private timers: NodeJS.Timeout[] = []
  private readonly unhear: () => void

  constructor(engine: Engine) {
    this.engine = engine
    this.unhear = engine.onChange((change) => {
      if (change === 'messages') this.look()
    })
  }

  get size(): number {
    return this.listeners.size
  }

  /** Gives a listener what stands behind its cursor, then all that comes. @param after default: from now on */
  async add(listener: Listener, after: string | undefined): Promise<void> {
    this.begin()
    this.listeners.add(listener)
    listener.onClose(() => this.remove(listener))
    const end = await this.engine.messages.end()
    let cursor = after === undefined || compareCursors(after, end) > 0 ? end : after
    while (!listener.isClosed) {
      // Joins in the same turn in which it has caught up: nothing comes in between.
      if (this.cursor !== undefined && compareCursors(cursor, this.cursor) >= 0) {
        listener.cursor = cursor
        this.index.add(listener.filter, listener)
        return
      }
      const page = await this.engine.messages.read({ filter: listener.filter, after: cursor, limit: PAGE })
      if (page.gap) listener.tellTrimmed(cursor)
      for (const message of page.messages) {
        listener.send(message)
        await listener.drained()
      }
      cursor = page.next
      if (page.atEnd) this.cursor ??= cursor
    }
  }

  close(): void {
    this.unhear()
    for (const timer of this.timers) clearInterval(timer)
    for (const listener of [...this.listeners]) listener.end()
  }

  private begin(): void {
    if (this.timers.length > 0) return
    const look = setInterval(() => void this.look(), LOOK_EVERY_MS)
    const beat = setInterval(() => {
      for (const listener of this.listeners) listener.heartbeat()
    }, HEARTBEAT_MS)
    this.timers = [look, beat]
  }

  private remove(listener: Listener): void {
    this.listeners.delete(listener)
    this.index.remove(listener.filter, listener)
    this.missed += listener.missedInAll
    if (this.listeners.size > 0) return
    for (const timer of this.timers.splice(0)) clearInterval(timer)
    this.cursor = undefined
  }

  /** Reads what is new, once at a time. */
  private look(): Promise<void> {
    if (this.listeners.size === 0) return Promise.resolve()
    this.isStale = true
    this.reading ??= this.read().finally(() => {
      this.reading = undefined
    })
    return this.reading
  }

  private async read(): Promise<void> {
    try {
      this.cursor ??= await this.engine.messages.end()
      while (this.isStale && this.cursor !== undefined) {
        this.isStale = false
        const page = await this.engine.messages.read({ after: this.cursor, limit: PAGE })
        this.cursor = page.next
        await this.deliverAll(page.messages)
        if (!page.atEnd) this.isStale = true
      }
    } catch {
      // Looked for again in a second.
    }
  }

  /** Some at a time: sockets write at the end of a turn, and who keeps up is not to look slow before. */
  private async deliverAll(messages: readonly StoredMessage[]): Promise<void> {
    let bytes = 0
    for (const message of messages) {
      this.deliver(message)
      bytes += message.payload.length + BESIDES_BYTES
      if (bytes < SLICE_BYTES) continue
      bytes = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  private deliver(message: StoredMessage): void {
    for (const listener of this.index.match(message.topic, [])) {
      if (compareCursors(message.cursor, listener.cursor) > 0) listener.send(message)
    }
  }
}
