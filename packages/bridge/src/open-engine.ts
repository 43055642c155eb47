import type { Engine } from './engine/engine.ts'
import { PostgresLog } from './postgres/postgres-log.ts'
import { RedisEngine } from './redis/redis-engine.ts'
import { SplitEngine } from './split-engine.ts'
import { SqliteEngine } from './sqlite/sqlite-engine.ts'

export interface EngineOptions {
  /** A file of the embedded engine, or redis://user:password@host:6379/0?name=NAME (rediss:// over TLS). */
  readonly queue: string
  /** Where messages and webhooks are kept: postgres://user:password@host:5432/name. Default: with the queue. */
  readonly database?: string
  /** Told of what an operator should know. */
  readonly log?: (line: string) => void
}

/** Opens the engine that the addresses name.
 *  @throws TypeError for an address of a kind that is not known; EngineUnavailableError when it cannot be opened */
export function openEngine({ queue, database, log }: EngineOptions): Engine {
  const messages = database === undefined ? undefined : openDatabase(database, log)
  const commands = openQueue(queue, log)
  return messages === undefined ? commands : new SplitEngine(commands, messages)
}

function openQueue(queue: string, log: EngineOptions['log']): Engine {
  const scheme = schemeOf(queue)
  if (scheme === 'redis' || scheme === 'rediss') return new RedisEngine({ url: queue, log })
  if (scheme !== undefined) {
    throw new TypeError(`${scheme}:// is no queue that is known; give a file, or redis://host:6379`)
  }
  return new SqliteEngine({ path: queue })
}

function openDatabase(address: string, log: EngineOptions['log']): PostgresLog {
  const scheme = schemeOf(address)
  if (scheme === 'postgres' || scheme === 'postgresql') return new PostgresLog({ address, log })
  const what = scheme === undefined ? 'this' : `${scheme}://`
  throw new TypeError(`database: ${what} is none that is known; give postgres://user:password@host:5432/name`)
}

function schemeOf(address: string): string | undefined {
  return /^([a-z][a-z0-9+.-]+):\/\//i.exec(address)?.[1]?.toLowerCase()
}
