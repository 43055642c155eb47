import {
  DEAD_LETTERS_KEPT,
  type DeadLetter,
  type Hook,
  type HookProgress,
  type HookState,
  type HookStore,
} from '../engine/hooks.ts'
import { numberOf, type Row, textOf } from '../engine/rows.ts'
import type { Lease } from '../engine/sessions.ts'
import type { Connections } from './connections.ts'
import type { News } from './notifications.ts'
import { hold } from './session-table.ts'
import type { Sql } from './sql.ts'

/** Webhooks. */
export class HookTable implements HookStore {
  private readonly connections: Connections
  private readonly news: News

  /** @param news that hooks have changed */
  constructor(connections: Connections, news: News) {
    this.connections = connections
    this.news = news
  }

  async add({ id, filter, url, secret, owner, createdAt }: Hook): Promise<void> {
    const insert = (sql: Sql): Promise<number> =>
      sql.run(
        `INSERT INTO hooks (id, filter, url, secret, owner, created_at, cursor)
          SELECT $1, $2, $3, $4, $5, $6, last FROM log`,
        id,
        filter,
        url,
        secret,
        owner,
        createdAt,
      )
    await this.connections.write('durable', insert, this.news.statement)
    this.news.tell()
  }

  list(): Promise<readonly HookState[]> {
    return this.connections.read(async (sql) =>
      (await sql.all('SELECT * FROM hooks ORDER BY created_at, id')).map(hookOf),
    )
  }

  async remove(id: string, owner: string): Promise<boolean> {
    const remove = async (sql: Sql): Promise<boolean> => {
      if ((await sql.run('DELETE FROM hooks WHERE id = $1 AND owner = $2', id, owner)) === 0) return false
      await sql.run('DELETE FROM dead_letters WHERE hook_id = $1', id)
      return true
    }
    const wasThere = await this.connections.write('durable', remove, this.news.statement)
    this.news.tell()
    return wasThere
  }

  async advance(lease: Lease, id: string, progress: HookProgress, dead?: DeadLetter): Promise<void> {
    await this.connections.write('written', async (sql) => {
      await hold(sql, lease)
      const known = await sql.run(
        'UPDATE hooks SET cursor = $1, failures = $2, next_at = $3 WHERE id = $4',
        Number(progress.cursor),
        progress.failures,
        progress.nextAt,
        id,
      )
      if (dead !== undefined && known > 0) await setAside(sql, dead)
    })
  }

  deadLetters(id: string, limit: number): Promise<readonly DeadLetter[]> {
    return this.connections.read(async (sql) =>
      (
        await sql.all('SELECT * FROM dead_letters WHERE hook_id = $1 ORDER BY id DESC LIMIT $2', id, limit)
      ).map((row) => ({
        hookId: textOf(row['hook_id']),
        cursor: String(numberOf(row['cursor'])),
        topic: textOf(row['topic']),
        reason: textOf(row['reason']),
        at: numberOf(row['at']),
      })),
    )
  }
}

async function setAside(sql: Sql, { hookId, cursor, topic, reason, at }: DeadLetter): Promise<void> {
  await sql.run(
    'INSERT INTO dead_letters (hook_id, cursor, topic, reason, at) VALUES ($1, $2, $3, $4, $5)',
    hookId,
    Number(cursor),
    topic,
    // Text there holds everything but this.
    reason.replaceAll('\0', '\uFFFD'),
    at,
  )
  await sql.run(
    `DELETE FROM dead_letters WHERE hook_id = $1 AND id <=
      (SELECT id FROM dead_letters WHERE hook_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)`,
    hookId,
    DEAD_LETTERS_KEPT,
  )
}

function hookOf(row: Row): HookState {
  return {
    id: textOf(row['id']),
    filter: textOf(row['filter']),
    url: textOf(row['url']),
    secret: textOf(row['secret']),
    owner: textOf(row['owner']),
    createdAt: numberOf(row['created_at']),
    cursor: String(numberOf(row['cursor'])),
    failures: numberOf(row['failures']),
    nextAt: numberOf(row['next_at']),
  }
}
