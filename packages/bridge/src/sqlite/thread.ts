import { parentPort, workerData } from 'node:worker_threads'
import type { Answer, Call } from './calls.ts'
import { Database, type DatabaseOptions, faultOf } from './database.ts'

/** To the thread: calls that become one commit, or the wish to stop. */
export type ToThread = { readonly calls: readonly Call[] } | { readonly stop: true }

/** From the thread: answers in the order of the calls, or that it has stopped. */
export type FromThread = { readonly answers: readonly Answer[] } | { readonly stopped: true }

const port = parentPort
if (port === null) throw new Error('this file runs as a worker thread')
let database: Database | undefined

port.on('message', (message: ToThread) => {
  if ('stop' in message) {
    database?.close()
    port.postMessage({ stopped: true } satisfies FromThread)
    port.close()
  } else port.postMessage({ answers: run(message.calls) } satisfies FromThread)
})

/** A file that cannot be opened may be there the next time. */
function run(calls: readonly Call[]): readonly Answer[] {
  try {
    database ??= new Database(workerData as DatabaseOptions)
    return database.run(calls)
  } catch (error) {
    return calls.map(() => ({ failed: faultOf(error) }))
  }
}
