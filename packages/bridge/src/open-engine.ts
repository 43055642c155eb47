import type { Engine } from './engine/engine.ts'
import { SqliteEngine } from './sqlite/sqlite-engine.ts'

export interface EngineOptions {
  /** A file of the embedded engine. */
  readonly queue: string
}

/** Opens the engine that an address names.
 *  @throws TypeError for an address of a kind that is not known; EngineUnavailableError when it cannot be opened */
export function openEngine({ queue }: EngineOptions): Engine {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(queue)?.[1]
  if (scheme !== undefined) throw new TypeError(`${scheme}:// is no queue that is known; give a file`)
  return new SqliteEngine({ path: queue })
}
