import type { ServerResponse } from 'node:http'
import type { StoredMessage } from '../engine/messages.ts'
import { messageView } from '../engine/view.ts'

/** Bytes that wait for a slow listener; what comes beyond is left out. */
const LIMIT_BYTES = 262_144

/** The text of an event, made once for all who get it. */
const texts = new WeakMap<StoredMessage, string>()

/** One who listens over Server-Sent Events. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class Listener {
  readonly filter: string
  /** Everything up to here has been sent, or left out. */
  cursor = '0'
  missedInAll = 0
  isClosed = false
  private readonly response: ServerResponse
  private missed: { count: number; readonly first: string; last: string } | undefined = undefined
  private closed: () => void = () => {}
  private waiting: (() => void)[] = []

  constructor(filter: string, response: ServerResponse) {
    this.filter = filter
    this.response = response
    response.on('drain', () => this.caughtUp())
    response.on('close', () => {
      this.isClosed = true
      this.closed()
      for (const resolve of this.waiting.splice(0)) resolve()
    })
  }

  onClose(closed: () => void): void {
    this.closed = closed
    if (this.isClosed) closed()
  }

  /** Sends a message, or counts it as missed. */
  send(message: StoredMessage): void {
    this.cursor = message.cursor
    if (this.isClosed) return
    if (this.missed !== undefined || this.response.writableLength >= LIMIT_BYTES) this.miss(message.cursor)
    else this.response.write(textOf(message))
  }

  /** What stood behind a cursor is no longer all there. */
  tellTrimmed(after: string): void {
    this.response.write(`event: missed\ndata: ${JSON.stringify({ after, reason: 'trimmed' })}\n\n`)
  }

  heartbeat(): void {
    // Who has bytes waiting for it needs no sign of life.
    if (!this.isClosed && this.response.writableLength === 0) this.response.write(':\n\n')
  }

  /** Settles when it can take more, or is gone. */
  async drained(): Promise<void> {
    if (this.isClosed || !this.response.writableNeedDrain) return
    await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  end(): void {
    this.response.end()
  }

  private miss(cursor: string): void {
    this.missedInAll++
    if (this.missed === undefined) this.missed = { count: 1, first: cursor, last: cursor }
    else {
      this.missed.count++
      this.missed.last = cursor
    }
  }

  /** Its bytes have gone: says what was left out, and goes on. */
  private caughtUp(): void {
    const { missed } = this
    this.missed = undefined
    if (missed !== undefined) {
      this.response.write(`event: missed\ndata: ${JSON.stringify({ ...missed, reason: 'slow' })}\n\n`)
    }
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}

function textOf(message: StoredMessage): string {
  let text = texts.get(message)
  if (text === undefined) {
    text = `id: ${message.cursor}\ndata: ${JSON.stringify(messageView(message))}\n\n`
    texts.set(message, text)
  }
  return text
}
