import { onAbort } from './on-abort.ts'
import type { Parts } from './parts.ts'
import type { Transport } from './transport/stream.ts'

/** Timers; those of Node, and of the part `timers`, go on in the background. */
export interface Timing {
  readonly setTimer: (run: () => void, ms: number) => unknown
  readonly clearTimer: (timer: unknown) => void
}

/** What the client needs of the place it runs in. Node and browsers each have one; tests have their own. */
export interface Platform extends Timing {
  /** What every client here has without being told. */
  readonly parts?: Parts
  /** Opens the byte stream that a URL asks for.
   *  @throws TypeError for a scheme that does not exist here */
  readonly transportFor: (url: URL, options: object) => Transport
  /** Runs a function at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void
  /** Milliseconds of a clock that goes on while the machine sleeps. */
  readonly now: () => number
  /** A number of 0 to below 1. */
  readonly random: () => number
}

/** Resolves after `ms`, or rejects with `signal.reason`. */
export function sleep(platform: Platform, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = platform.setTimer(
      () => {
        stop()
        resolve()
      },
      // What does not fit a timer's 32 bits is waited for in parts by the caller.
      Math.min(ms, 2_147_483_647),
    )
    const stop = onAbort(signal, () => {
      platform.clearTimer(timer)
      reject(signal.reason)
    })
  })
}
