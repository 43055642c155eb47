import { Worker } from 'node:worker_threads'
import type { Retention } from './database.ts'
import type { StoreRecord } from './records.ts'
import type { FromWriter, ToWriter, WriterData } from './writer-thread.ts'

export interface StoreOptions {
  /** The SQLite file; it is made when it is not there. */
  readonly path: string
  /** What is gathered this long is one transaction; `kill -9` loses no more. Default 500, at most 1000. */
  readonly batchMs?: number
  /** Records held in memory while the file cannot take them; the oldest make room and are counted.
   *  Default 200000. */
  readonly bufferLimit?: number
  readonly retention?: Retention
  /** How often retention looks. Default 60000. */
  readonly retentionEveryMs?: number
  /** The file grows no larger: what does not fit waits in memory and is tried again, as on a full disk.
   *  Absent: as large as the disk allows. */
  readonly fileLimitBytes?: number
  /** How long to wait before a batch that failed is tried again; doubles up to 5000. Default 100. */
  readonly retryMs?: number
}

/** What became of the records so far. */
export interface StoreMetrics {
  readonly buffered: number
  readonly written: number
  /** Dropped because the buffer was full, or because the file could not take them at the end. */
  readonly dropped: number
  readonly batches: number
  readonly retries: number
  readonly lastFault: StoreFault | undefined
}

/** Why a batch could not be written; it is tried again. */
export interface StoreFault {
  /** `LOCKED`, `FULL`, `STORE_FAILED` (anything else SQLite says) or `WRITER` (the thread ended). */
  readonly code: string
  readonly message: string
}

/** Records of a batch: dropping goes by whole chunks, and a chunk is what one transaction takes at most. */
const CHUNK = 5_000
const LONGEST_RETRY_MS = 5_000

/** Writes records into SQLite with a thread of its own: `write` never waits and never throws.
 *  One batch is under way at a time; what comes meanwhile waits in a bounded buffer. */
export class Store {
  readonly path: string
  private readonly data: WriterData
  private readonly batchMs: number
  private readonly bufferLimit: number
  private readonly retryMs: number
  private worker: Worker | undefined = undefined
  private chunks: StoreRecord[][] = []
  private underWay: readonly StoreRecord[] | undefined = undefined
  private timer: NodeJS.Timeout | undefined = undefined
  private buffered = 0
  private written = 0
  private dropped = 0
  private batches = 0
  private retries = 0
  private failuresInARow = 0
  private lastFault: StoreFault | undefined = undefined
  private flushing: (() => void)[] = []
  private readonly faultListeners = new Set<(fault: StoreFault) => void>()
  private closing: Promise<void> | undefined = undefined

  /** @throws RangeError for options that cannot be */
  constructor(options: StoreOptions) {
    const { path, batchMs = 500, bufferLimit = 200_000, retryMs = 100 } = options
    if (!(batchMs >= 1 && batchMs <= 1000)) throw new RangeError(`batchMs is ${batchMs}; it takes 1 to 1000`)
    if (!(bufferLimit >= 1)) throw new RangeError(`bufferLimit is ${bufferLimit}; it takes 1 and more`)
    if (!(retryMs >= 1)) throw new RangeError(`retryMs is ${retryMs}; it takes 1 and more`)
    this.path = path
    this.batchMs = batchMs
    this.bufferLimit = bufferLimit
    this.retryMs = retryMs
    const { retention = {}, retentionEveryMs = 60_000, fileLimitBytes } = options
    this.data = { path, retention, retentionEveryMs, fileLimitBytes }
  }

  /** Takes a record; it is in the file within `batchMs` and the time of a commit. */
  write(record: StoreRecord): void {
    if (this.closing !== undefined) {
      this.dropped++
      return
    }
    let chunk = this.chunks.at(-1)
    if (chunk === undefined || chunk.length >= Math.min(CHUNK, this.bufferLimit)) {
      chunk = []
      this.chunks.push(chunk)
    }
    chunk.push(record)
    this.buffered++
    if (this.buffered > this.bufferLimit) this.dropOldest()
    if (this.underWay !== undefined) return
    if (this.chunks.length > 1 && this.failuresInARow === 0) this.send()
    else this.schedule(this.batchMs)
  }

  /** Settles when all that was taken so far is in the file, or after `timeoutMs`. @returns whether it is */
  async flush(timeoutMs = 5_000): Promise<boolean> {
    const deadline = performance.now() + timeoutMs
    while (this.buffered > 0) {
      const left = deadline - performance.now()
      if (left <= 0) return false
      if (this.underWay === undefined) this.send()
      await this.nextAnswer(left)
    }
    return true
  }

  /** Writes what is left, as far as that can be within `timeoutMs`, and ends the thread. Always settles. */
  close(timeoutMs = 5_000): Promise<void> {
    this.closing ??= this.end(timeoutMs)
    return this.closing
  }

  /** What the store has done so far: a copy. */
  metrics(): StoreMetrics {
    const { buffered, written, dropped, batches, retries, lastFault } = this
    return { buffered, written, dropped, batches, retries, lastFault }
  }

  /** Calls `handler` each time a batch could not be written. @returns a function that ends that */
  onFault(handler: (fault: StoreFault) => void): () => void {
    this.faultListeners.add(handler)
    return () => this.faultListeners.delete(handler)
  }

  private async end(timeoutMs: number): Promise<void> {
    await this.flush(timeoutMs)
    clearTimeout(this.timer)
    this.dropped += this.buffered
    this.buffered = 0
    this.chunks = []
    const { worker } = this
    this.worker = undefined
    if (worker === undefined) return
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    if (this.underWay !== undefined) await worker.terminate()
    else worker.postMessage({ stop: true } satisfies ToWriter)
    await gone
  }

  private dropOldest(): void {
    const oldest = this.chunks[0]
    if (oldest === undefined || this.chunks.length === 1) {
      // Only the newest chunk is left: what is under way holds the rest.
      const excess = oldest?.splice(0, this.buffered - this.bufferLimit).length ?? 0
      this.buffered -= excess
      this.dropped += excess
      return
    }
    this.chunks.shift()
    this.buffered -= oldest.length
    this.dropped += oldest.length
  }

  private schedule(ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      if (this.underWay === undefined) this.send()
    }, ms)
  }

  private send(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const batch = this.chunks.shift()
    if (batch === undefined) return
    this.underWay = batch
    this.worker ??= this.spawn()
    this.worker.postMessage({ batch } satisfies ToWriter)
  }

  private spawn(): Worker {
    const name = import.meta.url.endsWith('.ts') ? './writer-thread.ts' : './writer-thread.js'
    // No flags of the process: those of `node --eval` would keep the thread from starting.
    const worker = new Worker(new URL(name, import.meta.url), { workerData: this.data, execArgv: [] })
    worker.on('message', (answer: FromWriter) => {
      if ('committed' in answer) this.committed(answer.committed)
      else this.failed(answer.failed)
    })
    worker.on('error', (error: unknown) => this.lost(worker, (error as Error).message))
    worker.on('exit', () => this.lost(worker, 'it ended'))
    return worker
  }

  private committed(count: number): void {
    this.underWay = undefined
    this.buffered -= count
    this.written += count
    this.batches++
    this.failuresInARow = 0
    this.answered()
    if (this.chunks.length > 1) this.send()
    else if (this.chunks.length === 1) this.schedule(this.batchMs)
  }

  private failed(fault: StoreFault): void {
    const batch = this.underWay
    this.underWay = undefined
    // It goes first again; it may have grown too old meanwhile.
    if (batch !== undefined) this.chunks.unshift(batch as StoreRecord[])
    while (this.buffered > this.bufferLimit) this.dropOldest()
    this.retries++
    this.lastFault = fault
    this.failuresInARow++
    this.schedule(Math.min(LONGEST_RETRY_MS, this.retryMs * 2 ** Math.min(this.failuresInARow - 1, 10)))
    for (const listener of this.faultListeners) listener(fault)
    this.answered()
  }

  /** The thread is gone: the next batch gets a new one. */
  private lost(worker: Worker, why: string): void {
    if (this.worker !== worker) return
    this.worker = undefined
    if (this.underWay !== undefined) {
      this.failed({ code: 'WRITER', message: `the writing thread failed: ${why}` })
    }
  }

  private answered(): void {
    const waiting = this.flushing
    this.flushing = []
    for (const resolve of waiting) resolve()
  }

  /** Settles at the next answer of the thread, or after `ms`; a retry's turn comes by its own timer. */
  private nextAnswer(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const limit = setTimeout(resolve, ms)
      this.flushing.push(() => {
        clearTimeout(limit)
        resolve()
      })
    })
  }
}
