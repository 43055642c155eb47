import type {
  Added,
  Claim,
  Command,
  CommandCounts,
  CommandQueue,
  CommandState,
  NewCommand,
  Once,
  Outcome,
} from '../engine/commands.ts'
import { bytesOf, numberOf, optional, propertiesOf, type Row, textOf } from '../engine/rows.ts'
import type { Lease, SessionChange } from '../engine/sessions.ts'
import type { SessionTable } from './session-table.ts'
import type { Statements } from './statements.ts'
import type { Synchronous } from './synchronous.ts'

/** States by the number they are kept as. */
const STATES: readonly CommandState[] = ['queued', 'sent', 'acknowledged', 'failed', 'expired', 'cancelled']
const QUEUED = 0
const EXPIRED = 4

const INSERT = `INSERT INTO commands (id, topic, payload, qos, retain, properties, order_key, not_before, expires_at,
  owner, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** Due, and not behind one of its key that is not over. */
const CLAIMABLE = `SELECT * FROM commands AS c WHERE state = 0 AND not_before <= ? AND (order_key IS NULL OR
  NOT EXISTS (SELECT 1 FROM commands AS p WHERE p.order_key = c.order_key AND p.seq < c.seq AND p.state < 2))
  ORDER BY not_before, seq LIMIT ?`

/** The queue of commands. */
export class CommandTable implements Synchronous<CommandQueue> {
  private readonly sql: Statements
  private readonly sessions: SessionTable

  constructor(sql: Statements, sessions: SessionTable) {
    this.sql = sql
    this.sessions = sessions
  }

  add(commands: readonly NewCommand[], once?: Once): Added {
    if (once !== undefined) {
      const earlier = this.earlier(once, commands[0]?.createdAt ?? 0)
      if (earlier !== undefined) return earlier
    }
    for (const each of commands) {
      this.sql.run(
        INSERT,
        each.id,
        each.topic,
        each.payload,
        each.qos,
        each.retain ? 1 : 0,
        each.properties === undefined ? null : JSON.stringify(each.properties),
        each.orderKey ?? null,
        each.notBefore,
        each.expiresAt ?? null,
        each.owner,
        each.createdAt,
        each.createdAt,
      )
    }
    if (once !== undefined) {
      this.sql.run(
        'INSERT OR REPLACE INTO idempotency (owner, key, digest, ids, expires_at) VALUES (?, ?, ?, ?, ?)',
        once.owner,
        once.key,
        once.digest,
        JSON.stringify(commands.map(({ id }) => id)),
        once.expiresAt,
      )
    }
    return { kind: 'added' }
  }

  find(id: string, now: number): Command | undefined {
    const row = this.sql.get('SELECT * FROM commands WHERE id = ?', id)
    if (row === undefined) return undefined
    const command = commandOf(row)
    const isOver = command.state === 'queued' && command.expiresAt !== undefined && command.expiresAt <= now
    return isOver ? { ...command, state: 'expired' } : command
  }

  cancel(id: string, owner: string, now: number): CommandState | undefined {
    this.expire(now)
    this.sql.run(
      'UPDATE commands SET state = 5, updated_at = ? WHERE id = ? AND owner = ? AND state = 0',
      now,
      id,
      owner,
    )
    const row = this.sql.get('SELECT state FROM commands WHERE id = ? AND owner = ?', id, owner)
    return row === undefined ? undefined : STATES[numberOf(row['state'])]
  }

  claim(lease: Lease, limit: number, now: number): Claim {
    this.sessions.check(lease)
    this.expire(now)
    const commands = this.sql.all(CLAIMABLE, now, limit).map((row) => {
      const command = commandOf(row)
      this.sql.run(
        'UPDATE commands SET state = 1, attempts = attempts + 1, session = ?, updated_at = ? WHERE seq = ?',
        lease.session,
        now,
        numberOf(row['seq']),
      )
      return { ...command, state: 'sent' as const, attempts: command.attempts + 1 }
    })
    const next = this.sql.get(
      'SELECT min(not_before) AS at FROM commands WHERE state = 0 AND not_before > ?',
      now,
    )
    return { commands, nextAt: optional(next?.['at'], numberOf) }
  }

  claimed(lease: Lease): readonly Command[] {
    this.sessions.check(lease)
    return this.sql
      .all('SELECT * FROM commands WHERE session = ? AND state = 1 ORDER BY seq', lease.session)
      .map(commandOf)
  }

  finish(
    lease: Lease,
    outcomes: readonly Outcome[],
    now: number,
    changes: readonly SessionChange[] = [],
  ): void {
    this.sessions.check(lease)
    for (const outcome of outcomes) {
      this.sql.run(
        `UPDATE commands SET state = ?, not_before = coalesce(?, not_before), reason_code = ?, reason = ?,
          updated_at = ?, session = NULL WHERE id = ? AND session = ? AND state = 1`,
        STATES.indexOf(outcome.state),
        outcome.state === 'queued' ? outcome.notBefore : null,
        outcome.reasonCode ?? null,
        outcome.reason ?? null,
        now,
        outcome.id,
        lease.session,
      )
    }
    this.sessions.change(lease, changes)
  }

  counts(): CommandCounts {
    const counts = { queued: 0, sent: 0, acknowledged: 0, failed: 0, expired: 0, cancelled: 0 }
    // Each of them an index that holds just these.
    const parts = ['state = 0', 'state = 1', 'state >= 2']
    for (const part of parts) {
      const rows = this.sql.all(`SELECT state, count(*) AS n FROM commands WHERE ${part} GROUP BY state`)
      for (const row of rows) counts[STATES[numberOf(row['state'])] ?? 'queued'] = numberOf(row['n'])
    }
    return counts
  }

  trim(before: number, now: number): number {
    this.sql.run('DELETE FROM idempotency WHERE expires_at <= ?', now)
    return this.sql.run('DELETE FROM commands WHERE state >= 2 AND updated_at < ?', before)
  }

  private earlier({ owner, key, digest }: Once, now: number): Added | undefined {
    const row = this.sql.get(
      'SELECT digest, ids FROM idempotency WHERE owner = ? AND key = ? AND expires_at > ?',
      owner,
      key,
      now,
    )
    if (row === undefined) return undefined
    if (row['digest'] !== digest) return { kind: 'conflict' }
    return { kind: 'repeated', ids: JSON.parse(textOf(row['ids'])) as string[] }
  }

  private expire(now: number): void {
    this.sql.run(
      `UPDATE commands SET state = ${EXPIRED}, updated_at = ? WHERE state = ${QUEUED} AND expires_at <= ?`,
      now,
      now,
    )
  }
}

function commandOf(row: Row): Command {
  return {
    id: textOf(row['id']),
    topic: textOf(row['topic']),
    payload: bytesOf(row['payload']),
    qos: row['qos'] === 2 ? 2 : 1,
    retain: row['retain'] === 1,
    properties: propertiesOf(row['properties']),
    orderKey: optional(row['order_key'], textOf),
    notBefore: numberOf(row['not_before']),
    expiresAt: optional(row['expires_at'], numberOf),
    owner: textOf(row['owner']),
    createdAt: numberOf(row['created_at']),
    updatedAt: numberOf(row['updated_at']),
    state: STATES[numberOf(row['state'])] ?? 'queued',
    attempts: numberOf(row['attempts']),
    reasonCode: optional(row['reason_code'], numberOf),
    reason: optional(row['reason'], textOf),
  }
}
