import type { DatabaseSync } from 'node:sqlite'
import { checkMessage, checkReference, checksum, unpackInflight } from './checksum.ts'
import { Numbered } from './numbered.ts'
import type {
  InboundRecord,
  MessageRecord,
  ReferenceRecord,
  RetainedRecord,
  SessionRecord,
  StoredState,
  SubscriptionRecord,
  WillRecord,
} from './records.ts'
import { hasSources } from './sqlite-schema.ts'

type Row = (number | string | null | Uint8Array)[]

/** Rows read at once: 3x as fast as one by one (bench/storage, start). */
const PAGE = 2000

/** Reads everything a database holds. Rows that are damaged, or point to what is missing, are left out and named. */
export function readState(db: DatabaseSync): StoredState {
  const damage: string[] = []
  const messages = new Numbered<MessageRecord>()
  // A BLOB costs a buffer of its own, and the collector ten times what hexadecimals do.
  eachById(db, 'messages', 'id, flags, expires, hex(frame), sum', damage, (row) => {
    const message = messageOf(row)
    if (message === undefined) return false
    messages.set(message.id, message)
    return true
  })
  const sessions: SessionRecord[] = []
  eachById(db, 'sessions', '*', damage, (row) => push(sessions, sessionOf(row)))
  const known = new Numbered<true>()
  for (const { id } of sessions) known.set(id, true)
  const belongs = (session: number, message: number): boolean =>
    known.has(session) && (message === 0 || messages.has(message))
  const references: ReferenceRecord[] = []
  eachById(db, 'refs', '*', damage, (row) => {
    const reference = referenceOf(row)
    return (
      reference !== undefined && belongs(reference.session, reference.message) && push(references, reference)
    )
  })
  // Read from both ends, when a page between them is damaged.
  if (damage.length > 0) references.sort((a, b) => a.id - b.id)
  const subscriptions: SubscriptionRecord[] = []
  each(db, 'subscriptions', 'session, filter', damage, (row) => {
    const subscription = subscriptionOf(row)
    return subscription !== undefined && belongs(subscription.session, 0) && push(subscriptions, subscription)
  })
  const inbound: InboundRecord[] = []
  each(db, 'inbound', 'session, packet', damage, (row) => {
    const received = inboundOf(row)
    return received !== undefined && belongs(received.session, received.message) && push(inbound, received)
  })
  const sources = readSources(db, damage)
  const retained: RetainedRecord[] = []
  each(db, 'retained', 'topic', damage, (row) => {
    const kept = retainedOf(row)
    if (kept === undefined || !messages.has(kept.message)) return false
    const source = sources.get(kept.topic)
    return push(retained, source?.message === kept.message ? source : kept)
  })
  const wills: WillRecord[] = []
  each(db, 'wills', 'session', damage, (row) => {
    const will = willOf(row)
    return will !== undefined && belongs(will.session, will.message) && push(wills, will)
  })
  return { messages, references, sessions, subscriptions, inbound, retained, wills, damage }
}

/** Reads a table with an id page by page, and what is left behind a damaged place row by row. */
function eachById(
  db: DatabaseSync,
  table: string,
  columns: string,
  damage: string[],
  take: (row: Row) => boolean,
): void {
  let last = -1
  let bad = 0
  let firstBad = 0
  try {
    const statement = db.prepare(`SELECT ${columns} FROM ${table} WHERE id > ? ORDER BY id LIMIT ${PAGE}`)
    statement.setReturnArrays(true)
    for (;;) {
      const rows = statement.all(last) as unknown as Row[]
      for (const row of rows) if (!take(row) && bad++ === 0) firstBad = row[0] as number
      if (rows.length < PAGE) break
      last = rows.at(-1)![0] as number
    }
  } catch {
    each(db, table, 'id', damage, take, columns, `WHERE id > ${last}`)
  }
  if (bad > 0) damage.push(`${table}: ${bad} damaged rows left out, the first is ${firstBad}`)
}

function push<T>(list: T[], record: T | undefined): boolean {
  if (record !== undefined) list.push(record)
  return record !== undefined
}

/** Reads a table from its beginning and, where a damaged page stops that, from its end as well. */
function each(
  db: DatabaseSync,
  table: string,
  key: string,
  damage: string[],
  take: (row: Row) => boolean,
  columns = '*',
  where = '',
): void {
  let bad = 0
  let firstBad = ''
  let last: Row | undefined
  const read = (direction: 'ASC' | 'DESC', until: Row | undefined): boolean => {
    const order = key.replaceAll(/\w+/g, (column) => `${column} ${direction}`)
    try {
      const statement = db.prepare(`SELECT ${columns} FROM ${table} ${where} ORDER BY ${order}`)
      statement.setReturnArrays(true)
      for (const row of statement.iterate() as unknown as Iterable<Row>) {
        if (until !== undefined && row[0] === until[0] && row[1] === until[1]) return true
        if (!take(row)) {
          bad++
          firstBad ||= String(row[0])
        }
        last = row
      }
      return true
    } catch (error) {
      if (direction === 'ASC') damage.push(`${table}: ${(error as Error).message}`)
      return false
    }
  }
  if (!read('ASC', undefined)) read('DESC', last)
  if (bad > 0) damage.push(`${table}: ${bad} damaged rows left out, the first is ${firstBad}`)
}

function messageOf(row: Row): MessageRecord | undefined {
  const id = row[0] as number
  const flags = row[1] as number
  const expires = row[2] as number
  const frame = Buffer.from(row[3] as string, 'hex')
  if (checkMessage(id, flags, expires, frame) !== row[4]) return undefined
  return {
    id,
    frame,
    version: (flags & 7) as 4 | 5,
    qos: ((flags >> 3) & 3) as 0 | 1 | 2,
    retain: (flags & 32) !== 0,
    expiresAt: expires,
    made: undefined,
  }
}

function referenceOf(row: Row): ReferenceRecord | undefined {
  const id = row[0] as number
  const session = row[1] as number
  const message = row[2] as number
  const flags = row[3] as number
  const identifiers = row[4] as string | null
  const inflight = unpackInflight(id, row[6] as number)
  if (checkReference(id, session, message, flags, identifiers) !== row[5] || inflight === undefined)
    return undefined
  return {
    id,
    session,
    message,
    qos: (flags & 3) as 0 | 1 | 2,
    retain: (flags & 4) !== 0,
    state: inflight.state,
    packetId: inflight.packetId,
    identifiers: identifiers === null ? NONE : (JSON.parse(identifiers) as number[]),
    shared: (flags & 8) !== 0,
  }
}

const NONE: readonly number[] = []

function sessionOf(row: Row): SessionRecord | undefined {
  const [id, clientId, expiryInterval, expiresAt, username, sum] = row as [
    number,
    string,
    number,
    number,
    string | null,
    number,
  ]
  if (checksum(id, clientId, expiryInterval, expiresAt, username) !== sum) return undefined
  return { id, clientId, expiryInterval, expiresAt, username: username ?? undefined }
}

function subscriptionOf(row: Row): SubscriptionRecord | undefined {
  const [session, topicFilter, options, identifier, sum] = row as [number, string, number, number, number]
  return checksum(session, topicFilter, options, identifier) === sum
    ? { session, topicFilter, options, identifier }
    : undefined
}

function inboundOf(row: Row): InboundRecord | undefined {
  const [session, packetId, message, sum] = row as number[] as [number, number, number, number]
  return checksum(session, packetId, message) === sum ? { session, packetId, message } : undefined
}

function retainedOf(row: Row): RetainedRecord | undefined {
  const [topic, message, sum] = row as [string, number, number]
  return checksum(topic, message) === sum ? { topic, message } : undefined
}

/** Retained messages of which it is known who published them, by topic. */
function readSources(db: DatabaseSync, damage: string[]): Map<string, RetainedRecord> {
  const sources = new Map<string, RetainedRecord>()
  if (!hasSources(db)) return sources
  each(db, 'sources', 'topic', damage, (row) => {
    const [topic, message, clientId, username, sum] = row as [string, number, string, string | null, number]
    if (checksum(topic, message, clientId, username) !== sum) return false
    sources.set(topic, { topic, message, clientId, ...(username !== null && { username }) })
    return true
  })
  return sources
}

function willOf(row: Row): WillRecord | undefined {
  const [session, at, delay, message, sum] = row as number[] as [number, number, number, number, number]
  return checksum(session, at, delay, message) === sum ? { session, at, delay, message } : undefined
}
