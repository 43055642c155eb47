import { Worker } from 'node:worker_threads'
import type { StorageEngine } from './engine.ts'
import { StorageError } from './engine.ts'
import type { FromWriter, ToWriter, WriterData } from './writer-thread.ts'

/** Takes batches and says when they are safe. */
export interface BatchSink {
  /** Hands a batch over; numbers grow by one. */
  write(batch: Uint8Array, number: number): void
  /** Settles when all that was handed over is written, or cannot be. */
  close(): Promise<void>
}

export interface BatchEvents {
  /** This batch and all before it survive a crash.
   *  @param memory of batches, to be used again */
  committed(number: number, memory?: readonly ArrayBuffer[]): void
  /** The last commit failed and is tried again. */
  failed(error: StorageError): void
}

/** Writes batches with an engine in this thread, at the end of the turn: for the memory engine. */
export class LocalWriter implements BatchSink {
  private readonly engine: StorageEngine
  private readonly events: BatchEvents
  private waiting: { batch: Uint8Array; number: number }[] = []

  constructor(engine: StorageEngine, events: BatchEvents) {
    this.engine = engine
    this.events = events
  }

  write(batch: Uint8Array, number: number): void {
    this.waiting.push({ batch, number })
    if (this.waiting.length === 1) setImmediate(() => this.flush())
  }

  async close(): Promise<void> {
    this.flush()
    this.engine.close()
  }

  private flush(): void {
    const last = this.waiting.at(-1)
    if (last === undefined) return
    this.engine.commit(this.waiting.map((each) => each.batch))
    this.waiting = []
    this.events.committed(last.number)
  }
}

/** How long to wait before a commit that failed is tried again, milliseconds. */
const RETRY_MS = 250

/** Writes batches with SQLite in a thread of its own, so that no fsync ever stops the event loop. */
export class ThreadWriter implements BatchSink {
  private readonly worker: Worker
  private retry: NodeJS.Timeout | undefined = undefined
  private readonly stopped: Promise<void>

  constructor(data: WriterData, events: BatchEvents) {
    const name = import.meta.url.endsWith('.ts') ? './writer-thread.ts' : './writer-thread.js'
    this.worker = new Worker(new URL(name, import.meta.url), { workerData: data })
    this.stopped = new Promise((resolve) => {
      this.worker.on('message', (message: FromWriter) => {
        if ('committed' in message) events.committed(message.committed, message.memory)
        else if ('failed' in message) this.failed(message.failed, events)
        else resolve()
      })
      this.worker.on('error', (error: Error) => {
        events.failed(new StorageError('WRITER', `the storage thread ended: ${error.message}`, error))
        resolve()
      })
      this.worker.on('exit', () => resolve())
    })
  }

  write(batch: Uint8Array, number: number): void {
    const message: ToWriter = { batch, number }
    this.worker.postMessage(message, [batch.buffer as ArrayBuffer])
  }

  /** From here, so that what takes back a refused record is in the commit that is tried again. */
  private failed({ code, message }: { code: string; message: string }, events: BatchEvents): void {
    events.failed(new StorageError(code, message))
    clearTimeout(this.retry)
    this.retry = setTimeout(() => this.worker.postMessage({ retry: true } satisfies ToWriter), RETRY_MS)
  }

  async close(): Promise<void> {
    clearTimeout(this.retry)
    this.worker.postMessage({ stop: true } satisfies ToWriter)
    await this.stopped
    await this.worker.terminate()
  }
}
