import { TimeoutError } from './errors.ts'
import { onAbort } from './on-abort.ts'
import type { Platform } from './platform.ts'

/** How long a caller waits. */
export interface WaitOptions {
  /** Aborting rejects with `signal.reason`. */
  readonly signal?: AbortSignal
  /** Rejects with TIMEOUT after this many milliseconds; default: waits as long as the session lives. */
  readonly timeoutMs?: number
}

interface Watched {
  unwatch: (() => void) | undefined
  fail(error: unknown): void
}

/** Fails an operation when its caller no longer waits. An operation that was sent already takes its course.
 *  @throws signal.reason when it is aborted already; RangeError for a time that is none */
export function watch(operation: Watched, options: WaitOptions, platform: Platform, what: string): void {
  const { signal, timeoutMs } = options
  if (signal === undefined && timeoutMs === undefined) return
  signal?.throwIfAborted()
  if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
    throw new RangeError(`timeoutMs is ${timeoutMs}; it takes 0 or more`)
  }
  const stop = onAbort(signal, () => operation.fail(signal!.reason))
  const timer =
    timeoutMs === undefined || timeoutMs > 2_147_483_647
      ? undefined
      : platform.setTimer(
          () => operation.fail(new TimeoutError(`${what} took over ${timeoutMs} ms`)),
          timeoutMs,
        )
  const before = operation.unwatch
  operation.unwatch = () => {
    before?.()
    stop()
    if (timer !== undefined) platform.clearTimer(timer)
  }
}
