import { type Argon2Parameters, argon2Sync } from 'node:crypto'
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'

/** What the thread is asked, and answers. */
export interface HashJob {
  readonly id: number
  readonly parameters: Argon2Parameters
}

export interface HashDone {
  readonly id: number
  readonly hash: Uint8Array
}

try {
  // On Linux this is about this thread alone: whoever waits for the event loop goes first. Elsewhere it would be about
  // the whole process.
  if (process.platform === 'linux') setPriority(0, 10)
} catch {
  // Not allowed: then it is as important as the rest.
}
parentPort?.on('message', ({ id, parameters }: HashJob) => {
  const done: HashDone = { id, hash: argon2Sync('argon2id', parameters) }
  parentPort?.postMessage(done)
})
