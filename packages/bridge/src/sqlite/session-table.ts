import { freeName, isFree } from '../engine/leasing.ts'
import { bytesOf, numberOf, optional, textOf } from '../engine/rows.ts'
import type {
  AcquireOptions,
  Lease,
  SessionChange,
  SessionKind,
  SessionRecord,
  SessionStore,
} from '../engine/sessions.ts'
import { LeaseLostError } from '../errors.ts'
import type { Statements } from './statements.ts'
import type { Synchronous } from './synchronous.ts'

/** Sessions and who holds them. */
export class SessionTable implements Synchronous<SessionStore> {
  private readonly sql: Statements

  constructor(sql: Statements) {
    this.sql = sql
  }

  acquire(kind: SessionKind, options: AcquireOptions): Lease | undefined {
    const { owner, now, leaseMs, which = 'any' } = options
    const all = this.sql.all(
      'SELECT name, epoch, owner, until FROM sessions WHERE kind = ? ORDER BY name',
      kind,
    )
    const free = all.find((row) =>
      isFree({ owner: optional(row['owner'], textOf), until: numberOf(row['until']) }, now),
    )
    if (free === undefined && (which === 'abandoned' || (which === 'single' && all.length > 0)))
      return undefined
    const lease = {
      session:
        free === undefined
          ? freeName(kind, new Set(all.map((row) => textOf(row['name']))))
          : textOf(free['name']),
      epoch: this.newEpoch(),
    }
    this.sql.run(
      'INSERT OR REPLACE INTO sessions (name, kind, epoch, owner, until) VALUES (?, ?, ?, ?, ?)',
      lease.session,
      kind,
      lease.epoch,
      owner,
      now + leaseMs,
    )
    return lease
  }

  extend(leases: readonly Lease[], now: number, leaseMs: number): readonly Lease[] {
    return leases.filter(
      ({ session, epoch }) =>
        this.sql.run(
          'UPDATE sessions SET until = ? WHERE name = ? AND epoch = ? AND owner IS NOT NULL',
          now + leaseMs,
          session,
          epoch,
        ) > 0,
    )
  }

  release({ session, epoch }: Lease): void {
    this.sql.run('UPDATE sessions SET owner = NULL, until = 0 WHERE name = ? AND epoch = ?', session, epoch)
  }

  remove(lease: Lease, now: number): void {
    this.check(lease)
    const { session } = lease
    this.sql.run(
      'UPDATE commands SET state = 0, session = NULL, updated_at = ? WHERE session = ? AND state = 1',
      now,
      session,
    )
    this.sql.run('DELETE FROM session_records WHERE session = ?', session)
    this.sql.run('DELETE FROM sessions WHERE name = ?', session)
  }

  records(lease: Lease): readonly SessionRecord[] {
    this.check(lease)
    return this.sql
      .all('SELECT key, value, command_id FROM session_records WHERE session = ?', lease.session)
      .map((row) => ({
        key: textOf(row['key']),
        value: bytesOf(row['value']),
        commandId: optional(row['command_id'], textOf),
      }))
  }

  write(lease: Lease, changes: readonly SessionChange[]): void {
    this.check(lease)
    this.change(lease, changes)
  }

  /** Changes records of a lease that has been checked. */
  change({ session }: Lease, changes: readonly SessionChange[]): void {
    for (const { key, value, commandId } of changes) {
      if (value === undefined) {
        this.sql.run('DELETE FROM session_records WHERE session = ? AND key = ?', session, key)
      } else {
        this.sql.run(
          'INSERT OR REPLACE INTO session_records (session, key, value, command_id) VALUES (?, ?, ?, ?)',
          session,
          key,
          value,
          commandId ?? null,
        )
      }
    }
  }

  /** @throws LeaseLostError */
  check({ session, epoch }: Lease): void {
    const row = this.sql.get('SELECT epoch, owner FROM sessions WHERE name = ?', session)
    if (row === undefined || row['owner'] === null || numberOf(row['epoch']) !== epoch) {
      throw new LeaseLostError(session)
    }
  }

  /** No epoch comes twice, not even for a session that was removed and made again. */
  private newEpoch(): number {
    return numberOf(this.sql.get('UPDATE epochs SET last = last + 1 RETURNING last')?.['last'])
  }
}
