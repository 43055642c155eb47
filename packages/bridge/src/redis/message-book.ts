import { matches } from '@pipit/protocol'
import type { Keep, MessageStore, NewMessage, Page, ReadOptions, StoredMessage } from '../engine/messages.ts'
import type { Lease, SessionChange } from '../engine/sessions.ts'
import { frame, unframe } from './frames.ts'
import type { Argument, Link } from './link.ts'
import { APPEND, READ, TRIM } from './message-scripts.ts'
import { bytesOf, listOf, numberOf, textOf } from './replies.ts'
import { argumentsOf } from './session-book.ts'

/** Messages looked at for one page: a rare filter does not hold anybody up. */
const LOOKED_AT = 10_000
/** Looked at in one call, and the bytes that it, or a page, gives, about: others have Redis in between. */
const LOOKED_AT_ONCE = 1_000
const BYTES_AT_ONCE = 1_048_576
const TRIM_AT_ONCE = 10_000

type Header = Omit<NewMessage, 'topic' | 'payload'>

/** The log of messages. */
export class MessageBook implements MessageStore {
  private readonly link: Link
  private readonly told: () => void

  /** @param told that there are messages */
  constructor(link: Link, told: () => void) {
    this.link = link
    this.told = told
  }

  async append(
    { session, epoch }: Lease,
    messages: readonly NewMessage[],
    changes: readonly SessionChange[],
    batch?: number,
  ): Promise<number> {
    const args = [
      ...[session, epoch, this.link.generation, batch ?? ''],
      ...argumentsOf(changes),
      messages.length,
      ...messages.flatMap(argumentsOfMessage),
    ]
    const stored = numberOf(await this.link.run(APPEND, args, { of: session, isDurable: true }))
    this.told()
    return stored
  }

  async last(topic: string): Promise<StoredMessage | undefined> {
    const reply = await this.link.call('hget', 'last', [topic])
    if (reply === null) return undefined
    const bytes = bytesOf(reply)
    const end = bytes.indexOf('\n')
    return messageOf(bytes.toString('latin1', 0, end), topic, bytes.subarray(end + 1))
  }

  async read({ filter, after = '0', limit }: ReadOptions): Promise<Page> {
    // Of a cursor that another engine may have given, `1-7`, the first number.
    let next = Number.parseInt(after, 10)
    let [gap, atEnd] = [false, false]
    const messages: StoredMessage[] = []
    let bytes = 0
    const isFull = (): boolean => messages.length >= limit || bytes >= BYTES_AT_ONCE
    for (let looked = 0; looked < LOOKED_AT && !isFull() && !atEnd; looked += LOOKED_AT_ONCE) {
      const args = [next, limit - messages.length, LOOKED_AT_ONCE, BYTES_AT_ONCE, beginningOf(filter)]
      const [oldest, newest, reached, found] = listOf(await this.link.run(READ, args))
      if (looked === 0) gap = next < numberOf(oldest) - 1
      for (const row of listOf(found)) {
        const [number, topic, body] = listOf(row)
        const name = textOf(topic)
        if (filter !== undefined && !matches(filter, name)) continue
        messages.push(messageOf(String(numberOf(number)), name, bytesOf(body)))
        bytes += bytesOf(body).length
      }
      // Nothing is left where it has looked when all that was there has been trimmed.
      next =
        listOf(found).length === 0 && numberOf(reached) === next
          ? Math.max(next, numberOf(newest))
          : numberOf(reached)
      atEnd = next >= numberOf(newest)
    }
    return { messages, next: String(next), atEnd, gap }
  }

  async end(): Promise<string> {
    const reply = await this.link.call('hget', 'meta', ['message'])
    return reply === null ? '0' : textOf(reply)
  }

  async trim({ maximumMessages, before }: Keep): Promise<number> {
    for (let gone = 0; ; ) {
      const [some, isMore] = listOf(
        await this.link.run(TRIM, [maximumMessages ?? '', before ?? '', TRIM_AT_ONCE]),
      )
      gone += numberOf(some)
      if (isMore !== 1) return gone
    }
  }
}

function argumentsOfMessage({ topic, payload, ...header }: NewMessage): Argument[] {
  return [topic, header.receivedAt, header.uniqueId ?? '', frame(header, payload)]
}

function messageOf(cursor: string, topic: string, body: Buffer): StoredMessage {
  const { header, bytes } = unframe<Header>(body)
  return { ...header, cursor, topic, payload: bytes }
}

/** What every topic of a filter begins with: Redis leaves out the rest, and the filter decides. */
function beginningOf(filter = ''): string {
  const wildcard = filter.search(/[+#]/)
  // `a/#` matches `a` as well.
  return wildcard < 0 ? filter : filter.slice(0, Math.max(0, wildcard - 1))
}
