import { freeName } from '../engine/leasing.ts'
import { bytesOf, numberOf, optional, type Row, textOf } from '../engine/rows.ts'
import type {
  AcquireOptions,
  Lease,
  SessionChange,
  SessionKind,
  SessionRecord,
  SessionStore,
} from '../engine/sessions.ts'
import { LeaseLostError } from '../errors.ts'
import type { Connections } from './connections.ts'
import type { Sql } from './sql.ts'

const ALL = 'SELECT name, epoch, owner, until FROM sessions WHERE kind = $1 ORDER BY name'

/** Sessions and who holds them. Who writes under a lease holds the session's row until its transaction is over; who
 *  takes the session over waits for that, and then sees what was written. */
export class SessionTable implements SessionStore {
  private readonly connections: Connections

  constructor(connections: Connections) {
    this.connections = connections
  }

  async acquire(kind: SessionKind, options: AcquireOptions): Promise<Lease | undefined> {
    // Most of those who ask find nothing: they are told without a write.
    const all = await this.connections.read((sql) => sql.all(ALL, kind))
    if (choose(kind, all, options) === undefined) return undefined
    return this.connections.write('durable', async (sql) => {
      // One at a time; no epoch comes twice, not even for a session that was removed and made again.
      const row = await sql.get('UPDATE epochs SET last = last + 1 RETURNING last')
      const session = choose(kind, await sql.all(ALL, kind), options)
      if (session === undefined) return undefined
      const lease = { session, epoch: numberOf(row?.['last']) }
      await sql.run(
        `INSERT INTO sessions (name, kind, epoch, owner, until) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name)
          DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner, until = excluded.until`,
        session,
        kind,
        lease.epoch,
        options.owner,
        options.now + options.leaseMs,
      )
      return lease
    })
  }

  async extend(leases: readonly Lease[], now: number, leaseMs: number): Promise<readonly Lease[]> {
    const kept = await this.connections.write('written', (sql) =>
      sql.all(
        `UPDATE sessions SET until = $1
          FROM unnest($2::text[], $3::bigint[]) AS held (session, held_epoch)
          WHERE name = session AND epoch = held_epoch AND owner IS NOT NULL RETURNING name`,
        now + leaseMs,
        leases.map(({ session }) => session),
        leases.map(({ epoch }) => epoch),
      ),
    )
    const names = new Set(kept.map((row) => textOf(row['name'])))
    return leases.filter(({ session }) => names.has(session))
  }

  async release({ session, epoch }: Lease): Promise<void> {
    await this.connections.write('written', (sql) =>
      sql.run('UPDATE sessions SET owner = NULL, until = 0 WHERE name = $1 AND epoch = $2', session, epoch),
    )
  }

  async remove(lease: Lease): Promise<void> {
    await this.connections.write('durable', async (sql) => {
      await hold(sql, lease)
      await sql.run('DELETE FROM session_records WHERE session = $1', lease.session)
      await sql.run('DELETE FROM appends WHERE session = $1', lease.session)
      await sql.run('DELETE FROM sessions WHERE name = $1', lease.session)
    })
  }

  records(lease: Lease): Promise<readonly SessionRecord[]> {
    return this.connections.read(async (sql) => {
      await check(sql, lease, '')
      const rows = await sql.all(
        'SELECT key, value, command_id FROM session_records WHERE session = $1',
        lease.session,
      )
      return rows.map((row) => ({
        key: textOf(row['key']),
        value: bytesOf(row['value']),
        commandId: optional(row['command_id'], textOf),
      }))
    })
  }

  async write(lease: Lease, changes: readonly SessionChange[]): Promise<void> {
    await this.connections.write('durable', async (sql) => {
      await hold(sql, lease)
      await change(sql, lease, changes)
    })
  }
}

/** Keeps the session from being taken over until the transaction is over. @throws LeaseLostError */
export function hold(sql: Sql, lease: Lease): Promise<void> {
  return check(sql, lease, 'FOR SHARE')
}

async function check(sql: Sql, { session, epoch }: Lease, lock: '' | 'FOR SHARE'): Promise<void> {
  const row = await sql.get(
    `SELECT 1 FROM sessions WHERE name = $1 AND epoch = $2 AND owner IS NOT NULL ${lock}`,
    session,
    epoch,
  )
  if (row === undefined) throw new LeaseLostError(session)
}

/** Changes records of a session that is held. */
export async function change(sql: Sql, { session }: Lease, changes: readonly SessionChange[]): Promise<void> {
  // Of several changes of one record the last one stays.
  const last = [...new Map(changes.map((each) => [each.key, each])).values()]
  const gone = last.filter(({ value }) => value === undefined)
  const put = last.filter(({ value }) => value !== undefined)
  if (gone.length > 0) {
    await sql.run(
      'DELETE FROM session_records WHERE session = $1 AND key = ANY ($2::text[])',
      session,
      gone.map(({ key }) => key),
    )
  }
  if (put.length === 0) return
  await sql.run(
    `INSERT INTO session_records (session, key, value, command_id)
      SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::text[])
      ON CONFLICT (session, key) DO UPDATE SET value = excluded.value, command_id = excluded.command_id`,
    session,
    put.map(({ key }) => key),
    put.map(({ value }) => value),
    put.map(({ commandId }) => commandId),
  )
}

/** The session to take: one that is free, else a new one where that is wanted. */
function choose(
  kind: SessionKind,
  all: readonly Row[],
  { now, which = 'any' }: AcquireOptions,
): string | undefined {
  // Whether a process is there says nothing here: it may be one of another machine that has the same name.
  const free = all.find((row) => row['owner'] === null || numberOf(row['until']) <= now)
  if (free !== undefined) return textOf(free['name'])
  if (which === 'abandoned' || (which === 'single' && all.length > 0)) return undefined
  return freeName(kind, new Set(all.map((row) => textOf(row['name']))))
}
