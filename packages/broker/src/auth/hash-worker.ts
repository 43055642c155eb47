import type { Argon2Parameters } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { HashDone, HashJob } from './hash-thread.ts'

/** argon2id in a thread of its own that gives way to the event loop: on Node's own threads it holds up who is
 *  already there (bench/abuse: half the 99th percentile of the loop's delay under 1,000 wrong logins a second). */
export class HashWorker {
  private worker: Worker | undefined = undefined
  private nextId = 0
  private readonly waiting = new Map<
    number,
    { resolve: (hash: Buffer) => void; reject: (error: Error) => void }
  >()

  hash(parameters: Argon2Parameters): Promise<Buffer> {
    const worker = this.started()
    const job: HashJob = { id: this.nextId++, parameters }
    return new Promise((resolve, reject) => {
      this.waiting.set(job.id, { resolve, reject })
      worker.ref()
      worker.postMessage(job)
    })
  }

  private started(): Worker {
    if (this.worker !== undefined) return this.worker
    const url = new URL(
      import.meta.url.endsWith('.ts') ? './hash-thread.ts' : './hash-thread.js',
      import.meta.url,
    )
    const worker = new Worker(url)
    this.worker = worker
    worker.on('message', ({ id, hash }: HashDone) => {
      this.waiting.get(id)?.resolve(Buffer.from(hash))
      this.waiting.delete(id)
      // It keeps no process alive that has nothing else to do.
      if (this.waiting.size === 0) worker.unref()
    })
    worker.on('error', (error) => this.lost(error))
    worker.on('exit', () => this.lost(new Error('the thread that hashes passwords has ended')))
    return worker
  }

  private lost(error: Error): void {
    this.worker = undefined
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
  }
}
