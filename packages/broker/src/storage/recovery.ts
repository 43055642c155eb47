import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BatchWriter } from './batch.ts'
import { StorageError, storageError } from './engine.ts'
import type { StoredState } from './records.ts'
import { DATABASE_FILE, MARKER_FILE, SqliteEngine } from './sqlite-engine.ts'

/** Where what could be read of a damaged file is gathered before it takes that file's place. */
const SALVAGE_FILE = `${DATABASE_FILE}.salvaged`

export interface Recovered {
  readonly state: StoredState
  /** What the operator has to know: damage, lost commits, files set aside. Empty when all is well. */
  readonly warnings: readonly string[]
}

/** Opens a data folder, checks it and reads it; hold its lock. What is damaged is set aside under another name,
 *  and what could still be read goes on in a new file; nothing is replaced without saying so.
 *  @throws StorageError NEWER_FORMAT, READ_ONLY, FULL, CANNOT_OPEN… */
export function recover(folder: string): Recovered {
  try {
    finishSalvage(folder)
    return recoverFile(folder)
  } catch (error) {
    throw storageError(error, folder)
  }
}

function recoverFile(folder: string): Recovered {
  let engine: SqliteEngine
  try {
    engine = new SqliteEngine(folder, { sync: true })
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'DAMAGED') throw error
    const aside = setAside(folder)
    const fresh = new SqliteEngine(folder, { sync: true })
    const state = fresh.load()
    fresh.close()
    return { state, warnings: [`${aside}: ${error.message}; it was set aside and an empty store begun`] }
  }
  const warnings: string[] = []
  try {
    const { lostCommits } = engine
    if (lostCommits > 0) {
      warnings.push(
        `${join(folder, DATABASE_FILE)}: the last ${lostCommits} commits are missing; its write-ahead log was cut or damaged, and what was acknowledged with them is lost`,
      )
      engine.settleMarker()
    }
    const structure = engine.check()
    const state = engine.load()
    const damage = [...structure, ...state.damage]
    if (damage.length === 0) return { state, warnings }
    engine.close()
    const aside = salvage(folder, state)
    warnings.push(
      `${aside} is damaged and was set aside; what could be read goes on in a new file: ${damage.slice(0, 20).join('; ')}`,
    )
    return { state, warnings }
  } finally {
    engine.close()
  }
}

/** Writes what could be read to a new file, which takes the place of the damaged one.
 *  A crash at any point leaves either the damaged file or the new one in place. */
function salvage(folder: string, state: StoredState): string {
  const fresh = new SqliteEngine(folder, { sync: true, file: SALVAGE_FILE })
  try {
    fresh.commit([copyOf(state)])
  } finally {
    fresh.close()
  }
  const aside = setAside(folder)
  finishSalvage(folder)
  return aside
}

function finishSalvage(folder: string): void {
  const from = join(folder, SALVAGE_FILE)
  if (!existsSync(from)) return
  const to = join(folder, DATABASE_FILE)
  if (existsSync(to)) {
    // It was not finished: the damaged file is still there to be read again.
    for (const end of ['', '-wal', '-shm', '.commits']) rmSync(from + end, { force: true })
    return
  }
  rmSync(`${from}.commits`, { force: true })
  renameSync(from, to)
}

/** Moves a damaged database and what belongs to it out of the way, and gives its new name. */
function setAside(folder: string): string {
  const stamp = new Date().toISOString().replaceAll(':', '-')
  const from = join(folder, DATABASE_FILE)
  const to = join(folder, `${DATABASE_FILE}.damaged-${stamp}`)
  // The database last: as long as it is there, nothing has begun anew.
  for (const [name, end] of [
    [`${from}-wal`, '-wal'],
    [`${from}-shm`, '-shm'],
    [join(folder, MARKER_FILE), '.commits'],
    [from, ''],
  ] as const) {
    if (existsSync(name)) renameSync(name, to + end)
  }
  return to
}

/** One batch that makes this state out of nothing. */
export function copyOf(state: StoredState): Uint8Array {
  const batch = new BatchWriter()
  for (const record of state.sessions) batch.putSession(record)
  for (const record of state.messages.values()) batch.putMessage(record)
  for (const record of state.references) batch.putReference(record)
  for (const record of state.subscriptions) batch.putSubscription(record)
  for (const record of state.inbound) batch.putInbound(record)
  for (const record of state.retained) batch.putRetained(record)
  for (const record of state.wills) batch.putWill(record)
  return batch.take()
}
