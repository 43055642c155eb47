import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StorageError } from './engine.ts'
import { ImportReader } from './import.ts'
import { FolderLock } from './lock.ts'
import type { StoredState } from './records.ts'
import { DATABASE_FILE, SqliteEngine } from './sqlite-engine.ts'

/** What a data folder holds, and what is wrong with it. */
export interface StoreReport {
  /** Bytes of the database. */
  readonly bytes: number
  readonly sessions: number
  readonly subscriptions: number
  readonly messages: number
  readonly queued: number
  readonly retained: number
  readonly wills: number
  /** For people; empty when all is well. */
  readonly faults: readonly string[]
}

/** Called now and then with how much is done. */
export type Progress = (done: number, total: number) => void

/** Reads a data folder without changing what it holds, and says what is in it and what is wrong.
 *  @throws StorageError MISSING, LOCKED, NEWER_FORMAT, DAMAGED */
export function checkStore(folder: string): StoreReport {
  return withEngine(folder, (engine) => {
    const { lostCommits } = engine
    const faults = engine.check()
    const state = engine.load()
    faults.push(...state.damage)
    if (lostCommits > 0)
      faults.push(`the last ${lostCommits} commits are missing: the write-ahead log was cut or damaged`)
    const { sessions, subscriptions, messages, references, retained, wills } = state
    return {
      bytes: statSync(join(folder, DATABASE_FILE)).size,
      sessions: sessions.length,
      subscriptions: subscriptions.length,
      messages: messages.size,
      queued: references.length,
      retained: retained.length,
      wills: wills.length,
      faults,
    }
  })
}

/** Rewrites the database without the room that what is gone has left.
 *  @returns its bytes before and after
 *  @throws StorageError MISSING, LOCKED, NEWER_FORMAT, DAMAGED, FULL */
export function compactStore(folder: string): { before: number; after: number } {
  const file = join(folder, DATABASE_FILE)
  const before = withEngine(folder, (engine) => {
    const bytes = statSync(file).size
    engine.compact()
    return bytes
  })
  return { before, after: statSync(file).size }
}

/** Gives all that a data folder holds as lines of JSON, payloads in base64 within their frames.
 *  @throws StorageError MISSING, LOCKED, NEWER_FORMAT; DAMAGED when something could not be read: nothing is left out silently */
export function* exportStore(folder: string, progress?: Progress): Generator<string, void, undefined> {
  const state = withEngine(folder, (engine) => {
    const found = engine.load()
    const faults = [...engine.check(), ...found.damage]
    if (faults.length === 0) return found
    throw new StorageError('DAMAGED', `${folder}: ${faults.join('; ')}`)
  })
  const total =
    state.sessions.length +
    state.subscriptions.length +
    state.messages.size +
    state.references.length +
    state.inbound.length +
    state.retained.length +
    state.wills.length
  let done = 0
  for (const line of linesOf(state)) {
    yield JSON.stringify(line)
    if (done % 10_000 === 0) progress?.(done, total)
    done++
  }
  progress?.(total, total)
}

function* linesOf(state: StoredState): Generator<object, void, undefined> {
  yield { store: 'pipit', version: 1 }
  for (const { id, expiresAt, ...rest } of state.sessions)
    yield { type: 'session', id, expiresAt: finite(expiresAt), ...rest }
  for (const each of state.subscriptions) yield { type: 'subscription', ...each }
  for (const { made: _, frame, expiresAt, ...rest } of state.messages.values()) {
    yield {
      type: 'message',
      ...rest,
      expiresAt: finite(expiresAt),
      frame: Buffer.from(frame).toString('base64'),
    }
  }
  for (const each of state.references) yield { type: 'reference', ...each }
  for (const each of state.inbound) yield { type: 'inbound', ...each }
  for (const each of state.retained) yield { type: 'retained', ...each }
  for (const each of state.wills) yield { type: 'will', ...each }
}

/** JSON has no Infinity: never is null. */
function finite(time: number): number | null {
  return Number.isFinite(time) ? time : null
}

/** Makes a data folder of the lines of an export.
 *  @returns how many records came in
 *  @throws StorageError NOT_EMPTY when the folder has a store; SyntaxError naming the line that is wrong: then nothing is left behind */
export async function importStore(
  folder: string,
  lines: AsyncIterable<string> | Iterable<string>,
  progress?: (done: number) => void,
): Promise<number> {
  const file = join(folder, DATABASE_FILE)
  const lock = new FolderLock(folder)
  try {
    if (existsSync(file)) {
      throw new StorageError(
        'NOT_EMPTY',
        `${folder} holds a store already; import into another folder, or move ${DATABASE_FILE} away`,
      )
    }
    const reader = new ImportReader(folder)
    try {
      for await (const line of lines) {
        reader.take(line)
        if (reader.records % 10_000 === 0) progress?.(reader.records)
      }
      reader.finish()
    } catch (error) {
      reader.abandon()
      throw error
    }
    progress?.(reader.records)
    return reader.records
  } finally {
    lock.release()
  }
}

function withEngine<T>(folder: string, work: (engine: SqliteEngine) => T): T {
  const file = join(folder, DATABASE_FILE)
  if (!existsSync(file))
    throw new StorageError('MISSING', `${folder} is no data folder: there is no ${DATABASE_FILE} in it`)
  const lock = new FolderLock(folder)
  try {
    const engine = new SqliteEngine(folder, { sync: true })
    try {
      return work(engine)
    } finally {
      engine.close()
    }
  } finally {
    lock.release()
  }
}
