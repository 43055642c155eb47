import { matches } from '@pipit/protocol'
import type { Keep, MessageStore, NewMessage, Page, ReadOptions, StoredMessage } from '../engine/messages.ts'
import { bytesOf, numberOf, optional, propertiesOf, type Row, textOf } from '../engine/rows.ts'
import type { Lease, SessionChange } from '../engine/sessions.ts'
import type { SessionTable } from './session-table.ts'
import type { Statements } from './statements.ts'
import type { Synchronous } from './synchronous.ts'

/** Topics looked at for one page: a rare filter does not hold the thread up. */
const LOOKED_AT = 10_000

/** The log of messages. */
export class MessageTable implements Synchronous<MessageStore> {
  private readonly sql: Statements
  private readonly sessions: SessionTable

  constructor(sql: Statements, sessions: SessionTable) {
    this.sql = sql
    this.sessions = sessions
  }

  append(lease: Lease, messages: readonly NewMessage[], changes: readonly SessionChange[]): number {
    this.sessions.check(lease)
    const newest = new Map<string, number>()
    let stored = 0
    for (const each of messages) {
      const row = this.sql.get(
        `INSERT INTO messages (topic, payload, qos, retain, properties, received_at, unique_id)
          VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq`,
        each.topic,
        each.payload,
        each.qos,
        each.retain ? 1 : 0,
        each.properties === undefined ? null : JSON.stringify(each.properties),
        each.receivedAt,
        each.uniqueId ?? null,
      )
      if (row === undefined) continue
      stored++
      newest.set(each.topic, numberOf(row['seq']))
    }
    for (const [topic, seq] of newest) {
      this.sql.run('INSERT OR REPLACE INTO topics (topic, seq) VALUES (?, ?)', topic, seq)
    }
    this.sessions.change(lease, changes)
    return stored
  }

  last(topic: string): StoredMessage | undefined {
    const row = this.sql.get(
      'SELECT * FROM messages WHERE seq = (SELECT seq FROM topics WHERE topic = ?)',
      topic,
    )
    return row === undefined ? undefined : messageOf(row)
  }

  read({ filter, after = '0', limit }: ReadOptions): Page {
    // Of a cursor that another engine may have given, `1-7`, the first number.
    const from = Number.parseInt(after, 10)
    const trimmed = numberOf(this.sql.get('SELECT seq FROM trimmed')?.['seq'])
    // Before the rows: what another process adds meanwhile stands behind it.
    const end = Number(this.end())
    const looked = this.sql.all(
      'SELECT seq, topic FROM messages WHERE seq > ? ORDER BY seq LIMIT ?',
      from,
      LOOKED_AT,
    )
    const messages: StoredMessage[] = []
    let next = from
    for (const { seq, topic } of looked) {
      if (messages.length >= limit) break
      next = numberOf(seq)
      const isWanted = filter === undefined || matches(filter, textOf(topic))
      const row = isWanted ? this.sql.get('SELECT * FROM messages WHERE seq = ?', next) : undefined
      if (row !== undefined) messages.push(messageOf(row))
    }
    const last = numberOf(looked.at(-1)?.['seq'])
    const atEnd = looked.length < LOOKED_AT && next >= last
    return { messages, next: String(atEnd ? Math.max(next, end) : next), atEnd, gap: from < trimmed }
  }

  end(): string {
    const row = this.sql.get("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
    return String(numberOf(row?.['seq']))
  }

  trim({ maximumMessages, before }: Keep): number {
    const end = Number(this.end())
    const byCount = maximumMessages === undefined ? 0 : end - maximumMessages
    const byAge = before === undefined ? 0 : this.lastBefore(before, end)
    const upTo = Math.max(byCount, byAge)
    if (upTo <= 0) return 0
    // The last value of a topic stays.
    const gone = this.sql.run(
      'DELETE FROM messages WHERE seq <= ? AND NOT EXISTS (SELECT 1 FROM topics WHERE topics.seq = messages.seq)',
      upTo,
    )
    if (gone > 0) this.sql.run('UPDATE trimmed SET seq = max(seq, ?)', upTo)
    return gone
  }

  /** What stands in front of the first message received since then. */
  private lastBefore(time: number, end: number): number {
    const row = this.sql.get('SELECT min(seq) AS seq FROM messages WHERE received_at >= ?', time)
    return optional(row?.['seq'], (seq) => numberOf(seq) - 1) ?? end
  }
}

function messageOf(row: Row): StoredMessage {
  const qos = numberOf(row['qos'])
  return {
    cursor: String(numberOf(row['seq'])),
    topic: textOf(row['topic']),
    payload: bytesOf(row['payload']),
    qos: qos === 2 ? 2 : qos === 1 ? 1 : 0,
    retain: row['retain'] === 1,
    properties: propertiesOf(row['properties']),
    receivedAt: numberOf(row['received_at']),
    uniqueId: optional(row['unique_id'], textOf),
  }
}
