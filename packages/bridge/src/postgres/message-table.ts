import { createHash, randomUUID } from 'node:crypto'
import { matches } from '@pipit/protocol'
import type { Keep, MessageStore, NewMessage, Page, ReadOptions, StoredMessage } from '../engine/messages.ts'
import { bytesOf, numberOf, optional, propertiesOf, type Row, textOf } from '../engine/rows.ts'
import type { Lease, SessionChange } from '../engine/sessions.ts'
import { EngineUnavailableError } from '../errors.ts'
import type { Connections } from './connections.ts'
import type { News } from './notifications.ts'
import { patternOf } from './pattern.ts'
import { change, hold } from './session-table.ts'
import type { Sql } from './sql.ts'

/** Messages looked at for one page: a rare filter does not hold anybody up. */
const LOOKED_AT = 10_000
/** Bytes of payload in a page, and in one statement, about. */
const PAGE_BYTES = 8_000_000
const STATEMENT_BYTES = 4_000_000
const STATEMENT_ROWS = 500
/** Taken away in one transaction. */
const TRIMMED_AT_ONCE = 10_000

/** One statement, and so one state of the log: what is kept, how far was looked, and what was found. */
const PAGE = `SELECT log.last, log.trimmed, looked.up_to, looked.n, found.*
  FROM log
  CROSS JOIN LATERAL (SELECT max(seq) AS up_to, count(*) AS n
    FROM (SELECT seq FROM messages WHERE seq > $1 ORDER BY seq LIMIT ${LOOKED_AT}) AS part) AS looked
  LEFT JOIN LATERAL (SELECT * FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY seq) - octet_length(payload) AS before
      FROM (SELECT * FROM messages WHERE seq > $1 AND seq <= looked.up_to AND topic LIKE $2
        ORDER BY seq LIMIT $3) AS wanted) AS counted
    WHERE before < ${PAGE_BYTES}) AS found ON true
  ORDER BY found.seq`

/** The log of messages. Its one row in the table `log` is held by whoever appends, from before the first number is
 *  given until the commit: so no reader passes by a message that is committed later with a lower number. */
export class MessageTable implements MessageStore {
  private readonly connections: Connections
  private readonly news: News
  /** Batches of which it is not known whether they were committed, by the messages they were called with. */
  private readonly doubtful = new WeakMap<readonly NewMessage[], string>()
  /** Batches that are not known to be over. */
  private readonly open = new Set<string>()

  /** @param news that there are messages */
  constructor(connections: Connections, news: News) {
    this.connections = connections
    this.news = news
  }

  async append(
    lease: Lease,
    messages: readonly NewMessage[],
    changes: readonly SessionChange[],
  ): Promise<number> {
    const earlier = this.doubtful.get(messages)
    const batch = earlier ?? randomUUID()
    this.open.add(batch)
    try {
      const stored = await this.connections.write(
        'durable',
        async (sql) => {
          await hold(sql, lease)
          const last = numberOf((await sql.get('SELECT last FROM log FOR UPDATE'))?.['last'])
          // Behind that lock: an earlier try may have been committing until now.
          const before = earlier === undefined ? undefined : await storedBy(sql, lease, batch)
          if (before !== undefined) return before
          const fresh = await newOf(sql, messages)
          await insert(sql, last, fresh)
          await this.note(sql, lease, batch, last + fresh.length, fresh.length)
          await change(sql, lease, changes)
          return fresh.length
        },
        this.news.statement,
      )
      this.settle(messages, batch)
      this.news.tell()
      return stored
    } catch (error) {
      if (error instanceof EngineUnavailableError) this.doubtful.set(messages, batch)
      else this.settle(messages, batch)
      throw error
    }
  }

  last(topic: string): Promise<StoredMessage | undefined> {
    return this.connections.read(async (sql) => {
      const row = await sql.get(
        'SELECT messages.* FROM topics JOIN messages USING (seq) WHERE digest = $1',
        digestOf(topic),
      )
      return row === undefined ? undefined : messageOf(row)
    })
  }

  read({ filter, after = '0', limit }: ReadOptions): Promise<Page> {
    // Of a cursor that another engine may have given, `1-7`, the first number.
    const from = Number.parseInt(after, 10)
    return this.connections.read(async (sql) => {
      const rows = await sql.all(PAGE, from, patternOf(filter), limit)
      const found = rows.filter((row) => row['seq'] !== null).map(messageOf)
      const messages = found.filter(({ topic }) => filter === undefined || matches(filter, topic))
      return { ...placeOf(rows[0], found, from, limit), messages }
    })
  }

  end(): Promise<string> {
    return this.connections.read(async (sql) =>
      String(numberOf((await sql.get('SELECT last FROM log'))?.['last'])),
    )
  }

  async trim({ maximumMessages, before }: Keep): Promise<number> {
    const end = Number(await this.end())
    const byCount = maximumMessages === undefined ? 0 : end - maximumMessages
    const byAge = before === undefined ? 0 : await this.lastBefore(before, end)
    const upTo = Math.max(byCount, byAge)
    let gone = 0
    for (let from = 0; from < upTo; ) {
      const some = await this.trimSome(from, upTo)
      gone += some.gone
      from = some.upTo
    }
    return gone
  }

  /** Some at a time: a transaction that takes a million rows away outlives its time. */
  private trimSome(from: number, upTo: number): Promise<{ gone: number; upTo: number }> {
    return this.connections.write('written', async (sql) => {
      const row = await sql.get(
        `SELECT max(seq) AS up_to FROM
          (SELECT seq FROM messages WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3) AS part`,
        from,
        upTo,
        TRIMMED_AT_ONCE,
      )
      const last = optional(row?.['up_to'], numberOf) ?? upTo
      // The last value of a topic stays.
      const gone = await sql.run(
        `DELETE FROM messages WHERE seq > $1 AND seq <= $2
          AND NOT EXISTS (SELECT FROM topics WHERE topics.seq = messages.seq)`,
        from,
        last,
      )
      if (gone > 0) await sql.run('UPDATE log SET trimmed = greatest(trimmed, $1)', last)
      return { gone, upTo: last }
    })
  }

  /** What stands in front of the first message received since then. */
  private lastBefore(time: number, end: number): Promise<number> {
    return this.connections.read(async (sql) => {
      const row = await sql.get('SELECT min(seq) AS seq FROM messages WHERE received_at >= $1', time)
      return optional(row?.['seq'], (seq) => numberOf(seq) - 1) ?? end
    })
  }

  /** Moves the end of the log, and keeps what this batch was for as long as it may be asked for. */
  private async note(sql: Sql, lease: Lease, batch: string, last: number, stored: number): Promise<void> {
    await sql.run(
      `WITH moved AS (UPDATE log SET last = $1),
        gone AS (DELETE FROM appends WHERE session = $2 AND NOT (batch = ANY ($5::uuid[])))
        INSERT INTO appends (session, batch, stored) VALUES ($2, $3, $4)`,
      last,
      lease.session,
      batch,
      stored,
      [...this.open],
    )
  }

  private settle(messages: readonly NewMessage[], batch: string): void {
    this.doubtful.delete(messages)
    this.open.delete(batch)
  }
}

/** Whether an earlier try with these messages was committed after all. @returns how many were new then */
async function storedBy(sql: Sql, { session }: Lease, batch: string): Promise<number | undefined> {
  const row = await sql.get(
    'SELECT stored FROM appends WHERE session = $1 AND batch = $2::uuid',
    session,
    batch,
  )
  return row === undefined ? undefined : numberOf(row['stored'])
}

/** Those whose id is not stored yet. */
async function newOf(sql: Sql, messages: readonly NewMessage[]): Promise<readonly NewMessage[]> {
  const ids = messages.flatMap(({ uniqueId }) => uniqueId ?? [])
  if (ids.length === 0) return messages
  const rows = await sql.all(
    'SELECT unique_digest FROM messages WHERE unique_digest = ANY ($1::bytea[])',
    ids.map(digestOf),
  )
  const known = new Set(rows.map((row) => hexOf(bytesOf(row['unique_digest']))))
  return messages.filter(({ uniqueId }) => {
    if (uniqueId === undefined) return true
    const digest = hexOf(digestOf(uniqueId))
    if (known.has(digest)) return false
    known.add(digest)
    return true
  })
}

async function insert(sql: Sql, last: number, messages: readonly NewMessage[]): Promise<void> {
  const numbered = messages.map((message, i) => ({ ...message, seq: last + i + 1 }))
  for (const some of portionsOf(numbered)) {
    await sql.run(
      `INSERT INTO messages
        (seq, topic, payload, qos, retain, properties, received_at, unique_id, unique_digest)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::smallint[], $5::boolean[], $6::text[],
          $7::bigint[], $8::text[], $9::bytea[])`,
      some.map(({ seq }) => seq),
      some.map(({ topic }) => topic),
      some.map(({ payload }) => payload),
      some.map(({ qos }) => qos),
      some.map(({ retain }) => retain),
      some.map(({ properties }) => (properties === undefined ? null : JSON.stringify(properties))),
      some.map(({ receivedAt }) => receivedAt),
      some.map(({ uniqueId }) => uniqueId),
      some.map(({ uniqueId }) => (uniqueId === undefined ? null : digestOf(uniqueId))),
    )
  }
  const newest = new Map(numbered.map(({ topic, seq }) => [topic, seq]))
  if (newest.size === 0) return
  await sql.run(
    `INSERT INTO topics (digest, seq) SELECT * FROM unnest($1::bytea[], $2::bigint[])
      ON CONFLICT (digest) DO UPDATE SET seq = excluded.seq`,
    Array.from(newest.keys(), digestOf),
    [...newest.values()],
  )
}

/** Cuts messages into parts, none of which is too much for one statement unless a single message is. */
function portionsOf<T extends NewMessage>(messages: readonly T[]): T[][] {
  const portions: T[][] = []
  let bytes = 0
  for (const message of messages) {
    const size = message.payload.length + message.topic.length
    const current = portions.at(-1)
    if (current === undefined || current.length === STATEMENT_ROWS || bytes + size > STATEMENT_BYTES) {
      portions.push([message])
      bytes = size
    } else {
      current.push(message)
      bytes += size
    }
  }
  return portions
}

/** Where a page ends. @param found what stood in it, before it was decided what matches */
function placeOf(
  row: Row | undefined,
  found: readonly StoredMessage[],
  from: number,
  limit: number,
): Pick<Page, 'next' | 'atEnd' | 'gap'> {
  const [looked, end] = [numberOf(row?.['n']), numberOf(row?.['last'])]
  const lookedUpTo = looked === 0 ? from : numberOf(row?.['up_to'])
  const size = found.reduce((sum, { payload }) => sum + payload.length, 0)
  const isFull = found.length === limit || size >= PAGE_BYTES
  const next = isFull ? Number(found.at(-1)?.cursor) : lookedUpTo
  const atEnd = looked < LOOKED_AT && next === lookedUpTo
  const gap = from < numberOf(row?.['trimmed'])
  return { next: String(atEnd ? Math.max(next, end) : next), atEnd, gap }
}

function messageOf(row: Row): StoredMessage {
  const qos = numberOf(row['qos'])
  return {
    cursor: String(numberOf(row['seq'])),
    topic: textOf(row['topic']),
    payload: bytesOf(row['payload']),
    qos: qos === 2 ? 2 : qos === 1 ? 1 : 0,
    retain: row['retain'] === true,
    properties: propertiesOf(row['properties']),
    receivedAt: numberOf(row['received_at']),
    uniqueId: optional(row['unique_id'], textOf),
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
