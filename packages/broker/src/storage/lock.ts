import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StorageError, storageError } from './engine.ts'

const LOCK_FILE = 'broker.lock'
const PID_FILE = 'broker.pid'

/** Holds a data folder for one process. The operating system gives it free when the process ends,
 *  however it ends: the lock is SQLite's own, on an empty database that nothing is ever written to. */
export class FolderLock {
  private readonly db: DatabaseSync

  /** @throws StorageError LOCKED, saying by which process; CANNOT_OPEN, READ_ONLY */
  constructor(folder: string) {
    const db = openLock(folder)
    try {
      db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    } catch (cause) {
      db.close()
      const error = storageError(cause)
      throw error instanceof StorageError && error.code === 'LOCKED' ? locked(folder, cause) : error
    }
    this.db = db
    try {
      writeFileSync(join(folder, PID_FILE), `${process.pid}\n`)
    } catch {
      // A full disk: others are refused all the same, without the number.
    }
  }

  release(): void {
    if (this.db.isOpen) this.db.close()
  }
}

function openLock(folder: string): DatabaseSync {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.R_OK | constants.W_OK)
    return new DatabaseSync(join(folder, LOCK_FILE))
  } catch (error) {
    throw storageError(error, folder)
  }
}

function locked(folder: string, cause: unknown): StorageError {
  let by = 'another process'
  try {
    by = `process ${readFileSync(join(folder, PID_FILE), 'utf8').trim()}`
  } catch {
    // no such file: whoever has it did not say
  }
  const message = `${folder} is in use by ${by}; stop it, or use another folder (--data)`
  return new StorageError('LOCKED', message, cause)
}
