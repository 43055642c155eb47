import { DatabaseSync } from 'node:sqlite'
import { BridgeError } from '../errors.ts'
import { type Answer, CALLS, type Call, type Name, type Need } from './calls.ts'
import { CommandTable } from './command-table.ts'
import { HookTable } from './hook-table.ts'
import { MessageTable } from './message-table.ts'
import { migrate } from './schema.ts'
import { SessionTable } from './session-table.ts'
import { Statements } from './statements.ts'
import { WorkerTable } from './worker-table.ts'

export interface DatabaseOptions {
  readonly path: string
  /** The file grows no larger; what does not fit is refused as on a full disk. */
  readonly fileLimitBytes: number | undefined
}

/** Others have the file for the length of a commit; who waits longer than this is told that it cannot be had. */
const BUSY_TIMEOUT_MS = 10_000
/** How often it is asked for. SQLite itself would ask ever more rarely, up to ten times a second, and lose to who has
 *  come later: of seven processes one waited for seconds. */
const ASK_EVERY_MS = 1
const SQLITE_BUSY = 5

type Run = (...args: never[]) => unknown

/** The SQLite file, in the thread that works on it. */
export class Database {
  private readonly db: DatabaseSync
  private readonly calls: Readonly<Record<Name, Run>>
  private readonly clock = new Int32Array(new SharedArrayBuffer(4))
  private synchronous: 'FULL' | 'NORMAL' = 'FULL'

  /** @throws what SQLite says when the file cannot be opened, or comes from a newer program */
  constructor({ path, fileLimitBytes }: DatabaseOptions) {
    this.db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    try {
      this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16000')
      migrate(this.db)
      if (fileLimitBytes !== undefined) this.limit(fileLimitBytes)
      this.calls = callsOf(new Statements(this.db))
      this.db.exec('PRAGMA busy_timeout = 0')
    } catch (error) {
      this.db.close()
      throw error
    }
  }

  /** Runs calls in one transaction; if that fails, each in one of its own, so that none suffers for another. */
  run(calls: readonly Call[]): readonly Answer[] {
    const need = needOf(calls)
    try {
      return this.together(calls, need)
    } catch (error) {
      if (calls.length === 1) return [{ failed: faultOf(error) }]
      return calls.flatMap((call) => this.run([call]))
    }
  }

  close(): void {
    if (this.db.isOpen) this.db.close()
  }

  private together(calls: readonly Call[], need: Need): readonly Answer[] {
    if (need === 'read') return calls.map((call) => this.patiently(() => this.answer(call)))
    this.synchronise(need === 'durable' ? 'FULL' : 'NORMAL')
    this.patiently(() => this.db.exec('BEGIN IMMEDIATE'))
    try {
      const answers = calls.map((call) => this.answer(call))
      this.db.exec('COMMIT')
      return answers
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
      throw error
    }
  }

  /** Does what others may be in the way of, as soon as they are not. */
  private patiently<T>(work: () => T): T {
    for (const until = performance.now() + BUSY_TIMEOUT_MS; ; Atomics.wait(this.clock, 0, 0, ASK_EVERY_MS)) {
      try {
        return work()
      } catch (error) {
        const { errcode = 0 } = error as { errcode?: number }
        if ((errcode & 0xff) !== SQLITE_BUSY || performance.now() > until) throw error
      }
    }
  }

  /** A lease that is lost is an answer: nothing was written yet, and the others' calls go on. */
  private answer({ name, args }: Call): Answer {
    try {
      return { value: this.calls[name](...(args as never[])) }
    } catch (error) {
      if (error instanceof BridgeError) return { failed: { code: error.code, message: error.message } }
      throw error
    }
  }

  private synchronise(mode: 'FULL' | 'NORMAL'): void {
    if (mode === this.synchronous) return
    this.db.exec(`PRAGMA synchronous = ${mode}`)
    this.synchronous = mode
  }

  private limit(bytes: number): void {
    const pageSize = Number(this.db.prepare('PRAGMA page_size').get()?.['page_size'])
    this.db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(bytes / pageSize))}`)
  }
}

function callsOf(sql: Statements): Record<Name, Run> {
  const sessions = new SessionTable(sql)
  const messages = new MessageTable(sql, sessions)
  const tables = {
    commands: new CommandTable(sql, sessions),
    messages,
    sessions,
    hooks: new HookTable(sql, sessions, messages),
    workers: new WorkerTable(sql),
  }
  const methodOf = (name: Name): Run => {
    // One row is written, so that a full disk shows.
    if (name === 'check') return () => void sql.run('UPDATE trimmed SET seq = seq')
    const [table, method] = name.split('.') as [keyof typeof tables, never]
    const found = tables[table]
    return (found[method] as Run).bind(found)
  }
  const names = Object.keys(CALLS) as Name[]
  return Object.fromEntries(names.map((name) => [name, methodOf(name)])) as Record<Name, Run>
}

function needOf(calls: readonly Call[]): Need {
  const needs = calls.map(({ name }) => CALLS[name].need)
  return needs.includes('durable') ? 'durable' : needs.includes('written') ? 'written' : 'read'
}

export function faultOf(error: unknown): { code: string; message: string } {
  return { code: 'ENGINE_UNAVAILABLE', message: error instanceof Error ? error.message : String(error) }
}
