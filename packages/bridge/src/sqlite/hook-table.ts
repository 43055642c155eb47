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
import type { MessageTable } from './message-table.ts'
import type { SessionTable } from './session-table.ts'
import type { Statements } from './statements.ts'
import type { Synchronous } from './synchronous.ts'

/** Webhooks. */
export class HookTable implements Synchronous<HookStore> {
  private readonly sql: Statements
  private readonly sessions: SessionTable
  private readonly messages: MessageTable

  constructor(sql: Statements, sessions: SessionTable, messages: MessageTable) {
    this.sql = sql
    this.sessions = sessions
    this.messages = messages
  }

  add({ id, filter, url, secret, owner, createdAt }: Hook): void {
    this.sql.run(
      'INSERT INTO hooks (id, filter, url, secret, owner, created_at, cursor) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      filter,
      url,
      secret,
      owner,
      createdAt,
      Number(this.messages.end()),
    )
  }

  list(): readonly HookState[] {
    return this.sql.all('SELECT * FROM hooks ORDER BY created_at, id').map(hookOf)
  }

  remove(id: string, owner: string): boolean {
    if (this.sql.run('DELETE FROM hooks WHERE id = ? AND owner = ?', id, owner) === 0) return false
    this.sql.run('DELETE FROM dead_letters WHERE hook_id = ?', id)
    return true
  }

  advance(lease: Lease, id: string, { cursor, failures, nextAt }: HookProgress, dead?: DeadLetter): void {
    this.sessions.check(lease)
    const known = this.sql.run(
      'UPDATE hooks SET cursor = ?, failures = ?, next_at = ? WHERE id = ?',
      Number(cursor),
      failures,
      nextAt,
      id,
    )
    if (dead === undefined || known === 0) return
    this.sql.run(
      'INSERT INTO dead_letters (hook_id, cursor, topic, reason, at) VALUES (?, ?, ?, ?, ?)',
      id,
      Number(dead.cursor),
      dead.topic,
      dead.reason,
      dead.at,
    )
    this.sql.run(
      `DELETE FROM dead_letters WHERE hook_id = ? AND id <=
        (SELECT id FROM dead_letters WHERE hook_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      id,
      id,
      DEAD_LETTERS_KEPT,
    )
  }

  deadLetters(id: string, limit: number): readonly DeadLetter[] {
    return this.sql
      .all('SELECT * FROM dead_letters WHERE hook_id = ? ORDER BY id DESC LIMIT ?', id, limit)
      .map((row) => ({
        hookId: textOf(row['hook_id']),
        cursor: String(numberOf(row['cursor'])),
        topic: textOf(row['topic']),
        reason: textOf(row['reason']),
        at: numberOf(row['at']),
      }))
  }
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
