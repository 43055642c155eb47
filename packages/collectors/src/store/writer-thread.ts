import { parentPort, workerData } from 'node:worker_threads'
import { Database, type Retention } from './database.ts'
import type { StoreRecord } from './records.ts'

/** What the main thread sends: a batch, or the wish to stop. */
export type ToWriter = { readonly batch: readonly StoreRecord[] } | { readonly stop: true }

/** What the writer answers: the batch is in the file, or could not be put there and has to come again. */
export type FromWriter =
  | { readonly committed: number }
  | { readonly failed: { readonly code: string; readonly message: string } }

export interface WriterData {
  readonly path: string
  readonly retention: Retention
  readonly retentionEveryMs: number
  readonly fileLimitBytes: number | undefined
}

const port = parentPort
if (port === null) throw new Error('this file runs as a worker thread')
const { path, retention, retentionEveryMs, fileLimitBytes } = workerData as WriterData
let database: Database | undefined
let retainedAt = Number.NEGATIVE_INFINITY

port.on('message', (message: ToWriter) => {
  if ('stop' in message) {
    database?.close()
    port.close()
  } else port.postMessage(write(message.batch))
})

function write(batch: readonly StoreRecord[]): FromWriter {
  try {
    database ??= new Database(path, fileLimitBytes)
    database.commit(batch)
  } catch (error) {
    const failed = faultOf(error)
    // The oldest may make room for what comes again.
    if (failed.code === 'FULL') retain()
    return { failed }
  }
  if (performance.now() - retainedAt >= retentionEveryMs) retain()
  return { committed: batch.length }
}

/** The batch is safe by now, so that a fault here waits for the next time. */
function retain(): void {
  retainedAt = performance.now()
  try {
    database?.retain(retention, Date.now())
  } catch {
    // tried again in its time
  }
}

function faultOf(error: unknown): { code: string; message: string } {
  const { errcode, message } = error as { errcode?: number; message?: string }
  const primary = errcode === undefined ? undefined : errcode & 0xff
  const code = primary === 5 || primary === 6 ? 'LOCKED' : primary === 13 ? 'FULL' : 'STORE_FAILED'
  return { code, message: message ?? String(error) }
}
