import { type FileHandle, mkdir, open, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HEADER, readLog, recordOf } from './log-format.ts'
import { type Store, StoreError } from './store.ts'

/** The log is rewritten when it is this large and mostly of the past. */
const COMPACT_BYTES = 1_048_576

/** Keeps a session in one file: an append-only log, synced to disk before a commit resolves. One client at a time.
 *  @param path of the file; it and its folder are made when missing
 *  @throws StoreError (when the client opens it) if another process has it, or it is no such file */
export function fileStore(path: string): Store {
  return new FileStore(path)
}

class FileStore implements Store {
  private readonly path: string
  private file: FileHandle | undefined = undefined
  /** Bytes in the file, and how many of them are live records. */
  private size = 0
  private live = 0
  private readonly sizes = new Map<string, number>()
  private pending: Uint8Array[] = []
  private writing: Promise<void> | undefined = undefined
  private next: Promise<void> | undefined = undefined
  private failure: unknown = undefined

  constructor(path: string) {
    this.path = path
  }

  async open(): Promise<ReadonlyMap<string, Uint8Array>> {
    await mkdir(dirname(this.path), { recursive: true })
    await this.lock()
    try {
      const log = await readIfThere(this.path)
      const whole = log !== undefined && log.length >= HEADER.length
      // Shorter than its header, it is a store whose very first write was torn, or something else.
      if (log !== undefined && !startsWith(HEADER, log.subarray(0, HEADER.length)))
        throw new StoreError(`${this.path} is not a store of this client`)
      const { records, end } = whole ? readLog(log) : { records: new Map<string, Uint8Array>(), end: 0 }
      this.file = await open(this.path, whole ? 'r+' : 'w')
      if (!whole) await this.begin()
      else {
        // What follows the last whole record is a torn write: it was never confirmed.
        await this.file.truncate(end)
        this.size = end
      }
      for (const [key, value] of records) this.account(key, recordSize(key, value))
      return records
    } catch (error) {
      await this.unlock()
      throw error
    }
  }

  put(key: string, value: Uint8Array): void {
    const record = recordOf(key, value)
    this.account(key, record.length)
    this.pending.push(record)
  }

  delete(key: string): void {
    if (!this.sizes.has(key)) return
    this.account(key, 0)
    this.pending.push(recordOf(key, undefined))
  }

  /** Changes made while one write is on its way leave together with the next. */
  commit(): Promise<void> {
    if (this.writing === undefined) {
      if (this.pending.length === 0)
        return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure)
      this.writing = this.write().finally(() => {
        this.writing = undefined
      })
      return this.writing
    }
    if (this.pending.length === 0) return this.writing
    this.next ??= this.writing
      .catch(() => {})
      .then(() => {
        this.next = undefined
        return this.commit()
      })
    return this.next
  }

  async close(): Promise<void> {
    try {
      await this.commit()
    } finally {
      await this.file?.close()
      this.file = undefined
      await this.unlock()
    }
  }

  private async write(): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    const records = this.pending
    this.pending = []
    try {
      const bytes = Buffer.concat(records)
      await writeAll(this.file!, bytes, this.size)
      this.size += bytes.length
      await this.file!.datasync()
      if (this.size > COMPACT_BYTES && this.size > this.live * 4) await this.compact()
    } catch (error) {
      // What the file holds now is not known: nothing more is promised.
      this.failure = new StoreError(`${this.path}: ${error instanceof Error ? error.message : error}`, error)
      throw this.failure
    }
  }

  /** Writes the live records to a new file and puts it in the place of the old one. */
  private async compact(): Promise<void> {
    const { records } = readLog(await readFile(this.path))
    const next = `${this.path}.new`
    const file = await open(next, 'w')
    const bytes = Buffer.concat([HEADER, ...Array.from(records, ([key, value]) => recordOf(key, value))])
    await writeAll(file, bytes, 0)
    await file.sync()
    await rename(next, this.path)
    await syncFolder(this.path)
    await this.file?.close()
    this.file = file
    this.size = bytes.length
  }

  private async begin(): Promise<void> {
    await writeAll(this.file!, HEADER, 0)
    await this.file!.sync()
    await syncFolder(this.path)
    this.size = HEADER.length
  }

  private account(key: string, size: number): void {
    this.live += size - (this.sizes.get(key) ?? 0)
    if (size === 0) this.sizes.delete(key)
    else this.sizes.set(key, size)
  }

  private async lock(): Promise<void> {
    const lock = `${this.path}.lock`
    for (let attempt = 0; ; attempt++) {
      try {
        await writeFile(lock, String(process.pid), { flag: 'wx' })
        return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        const owner = Number((await readIfThere(lock))?.toString() ?? Number.NaN)
        if (attempt > 2 || isAlive(owner)) throw new StoreError(`${this.path} is in use by process ${owner}`)
        await unlink(lock).catch(() => {})
      }
    }
  }

  private async unlock(): Promise<void> {
    await unlink(`${this.path}.lock`).catch(() => {})
  }
}

function recordSize(key: string, value: Uint8Array): number {
  return 11 + Buffer.byteLength(key) + value.length
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A new name is safe only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, i) => bytes[i] === byte)
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
