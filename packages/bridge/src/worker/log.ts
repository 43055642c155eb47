import { BridgeError } from '../errors.ts'

/** What a worker has to say to its operator, one line at a time. */
export type Log = (line: string) => void

/** Says what went wrong beside a session's work. That a session is being left is no news: who leaves it knows. */
export function complain(log: Log, session: string, error: unknown): void {
  const { message, cause } = error as Error
  if (cause instanceof BridgeError && cause.code === 'ABANDONED') return
  log(`${session}: ${message}`)
}
