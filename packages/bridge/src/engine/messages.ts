import type { MessageProperties } from './commands.ts'
import type { Lease, SessionChange } from './sessions.ts'

/** A message that came from the broker. Times are milliseconds since the epoch. */
export interface NewMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly properties?: MessageProperties
  readonly receivedAt: number
  /** Given by its publisher: a message with an id that is stored already is not stored again. */
  readonly uniqueId?: string
}

export interface StoredMessage extends NewMessage {
  /** Where it stands in the log; opaque, but cursors of one log compare with `compareCursors`. */
  readonly cursor: string
}

export interface ReadOptions {
  /** A Topic Filter; default: all messages, those of topics that begin with $ as well. */
  readonly filter?: string
  /** Only what stands behind it; default: from the beginning of what is kept. */
  readonly after?: string
  /** Messages at most. */
  readonly limit: number
}

export interface Page {
  readonly messages: readonly StoredMessage[]
  /** Where to go on; there may be more even when no message is in this page. With `atEnd` no further back than
   *  where the log ended when it was read. */
  readonly next: string
  /** Nothing stood behind `next` when it was read. */
  readonly atEnd: boolean
  /** What stood behind `after` has been trimmed in part: something may be missing. */
  readonly gap: boolean
}

export interface Keep {
  readonly maximumMessages?: number
  /** What was received before then goes. */
  readonly before?: number
}

/** The log of messages, and the last one of each topic. Every method rejects with EngineUnavailableError when it
 *  cannot do its work. */
export interface MessageStore {
  /** Stores messages in their order, together with changes of the session they came by: both or neither. Settles
   *  when they are durable. @returns how many were new
   *  @param batch its number under this lease. Who had no answer, for the connection to the engine ended, says the
   *    same number again: an engine behind a network stores the batch of a number once
   *  @throws LeaseLostError */
  append(
    lease: Lease,
    messages: readonly NewMessage[],
    changes: readonly SessionChange[],
    batch?: number,
  ): Promise<number>
  /** The newest message of a topic, retained or not. */
  last(topic: string): Promise<StoredMessage | undefined>
  read(options: ReadOptions): Promise<Page>
  /** Behind the newest message. */
  end(): Promise<string>
  /** Takes the oldest away. @returns how many went */
  trim(keep: Keep): Promise<number>
}

/** Of two cursors of one log: below 0 when `a` stands before `b`. Cursors are numbers, or numbers joined by `-`. */
export function compareCursors(a: string, b: string): number {
  const left = a.split('-')
  const right = b.split('-')
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = Number(left[i] ?? 0) - Number(right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Says whether a text has the form of a cursor. */
export function isCursor(text: string): boolean {
  return /^\d{1,16}(-\d{1,16})?$/.test(text)
}
