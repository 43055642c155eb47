import type { StoredState } from './records.ts'

/** Where batches of records end up. An engine works synchronously, in whatever thread it lives. */
export interface StorageEngine {
  /** Reads everything. Called once, before the first `commit`. */
  load(): StoredState
  /** Applies batches as one transaction: on return they survive a crash of the process and,
   *  when the engine was opened so, of the machine. On a throw nothing of them is there. */
  commit(batches: readonly Uint8Array[]): void
  /** Moves what is in the log to its place, when there is enough of it. Returns whether there is more to do. */
  maintain(): boolean
  close(): void
}

/** A store that cannot be opened, or not be written now. `code` is stable; the message is for people. */
export class StorageError extends Error {
  /** LOCKED, NEWER_FORMAT, FULL, READ_ONLY, IO… */
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StorageError'
    this.code = code
  }
}

const KNOWN: Readonly<Record<number, readonly [code: string, message: string]>> = {
  5: ['LOCKED', 'the data folder is in use by another process'],
  6: ['LOCKED', 'the data folder is in use by another process'],
  8: ['READ_ONLY', 'the data folder cannot be written'],
  10: ['IO', 'the disk reports an error'],
  11: ['DAMAGED', 'the database is damaged'],
  13: ['FULL', 'the disk is full'],
  14: ['CANNOT_OPEN', 'the database cannot be opened'],
  26: ['DAMAGED', 'the file is no database'],
}

const SYSTEM: Readonly<Record<string, readonly [code: string, message: string]>> = {
  EACCES: KNOWN[8]!,
  EROFS: KNOWN[8]!,
  EPERM: KNOWN[8]!,
  EIO: KNOWN[10]!,
  ENOSPC: KNOWN[13]!,
  EDQUOT: KNOWN[13]!,
  EFBIG: KNOWN[13]!,
  ENOTDIR: ['CANNOT_OPEN', 'the data folder cannot be made: a file is in its place'],
  EEXIST: ['CANNOT_OPEN', 'the data folder cannot be made: a file is in its place'],
}

/** Says what an error of SQLite, or of the file system, means for the operator. */
export function storageError(error: unknown, where?: string): Error {
  if (error instanceof StorageError) return error
  const { errcode, code, message } = error as { errcode?: number; code?: string; message: string }
  const known = errcode === undefined ? SYSTEM[code ?? ''] : KNOWN[errcode & 255]
  if (known === undefined) return error as Error
  return new StorageError(
    known[0],
    `${where === undefined ? '' : `${where}: `}${known[1]} (${message})`,
    error,
  )
}
