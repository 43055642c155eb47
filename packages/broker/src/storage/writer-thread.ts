import { parentPort, workerData } from 'node:worker_threads'
import { StorageError } from './engine.ts'
import { SqliteEngine } from './sqlite-engine.ts'

/** What the main thread sends: a batch, the wish to try again what failed, or to stop. */
export type ToWriter =
  | { readonly batch: Uint8Array; readonly number: number }
  | { readonly retry: true }
  | { readonly stop: true }

/** What the writer answers. */
export type FromWriter =
  | { readonly committed: number; readonly memory: ArrayBuffer[] }
  | { readonly failed: { readonly code: string; readonly message: string } }
  | { readonly stopped: true }

export interface WriterData {
  readonly folder: string
  /** Sync each commit to the disk. */
  readonly sync: boolean
}

const port = parentPort!
const { folder, sync } = workerData as WriterData
let engine: SqliteEngine | undefined
let waiting: { batch: Uint8Array; number: number }[] = []
let scheduled = false
let stopping = false
/** The last commit failed: nothing is tried until the main thread says so. */
let failing = false

port.on('message', (message: ToWriter) => {
  if ('stop' in message) stopping = true
  else if ('retry' in message) failing = false
  else waiting.push(message)
  // All that has come until then is one commit.
  if (!failing || stopping) schedule()
})

function schedule(): void {
  if (scheduled) return
  scheduled = true
  setImmediate(work)
}

function work(): void {
  scheduled = false
  failing = waiting.length > 0 && !write()
  if (stopping) stop()
  // What has come meanwhile goes first.
  else if (!failing && maintain()) schedule()
}

/** Commits all that waits; false when it has to be tried again. */
function write(): boolean {
  try {
    engine ??= new SqliteEngine(folder, { sync })
    engine.commit(waiting.map((each) => each.batch))
  } catch (error) {
    fail(error)
    return false
  }
  const { number } = waiting.at(-1)!
  const memory = waiting.map(({ batch }) => batch.buffer as ArrayBuffer)
  waiting = []
  port.postMessage({ committed: number, memory } satisfies FromWriter, memory)
  return true
}

function maintain(): boolean {
  try {
    return engine?.maintain() ?? false
  } catch {
    // Nothing is lost: the log stays as it is and grows. When it cannot, a commit fails and says so.
    return false
  }
}

function fail(error: unknown): void {
  const code = error instanceof StorageError ? error.code : 'IO'
  port.postMessage({ failed: { code, message: (error as Error).message } } satisfies FromWriter)
  // After an error other than a full disk the connection is not trusted any more.
  if (code !== 'FULL') close()
}

function close(): void {
  try {
    engine?.close()
  } catch {
    // the next one opens the file anew
  }
  engine = undefined
}

function stop(): void {
  close()
  port.postMessage({ stopped: true } satisfies FromWriter)
  port.close()
}
