/** Where a running device takes its time from; tests pass one that they turn by hand. */
export interface Clock {
  /** Milliseconds; never runs backwards. */
  now(): number
  /** Calls back once after `ms`; what it returns takes that back. */
  after(ms: number, callback: () => void): () => void
}

/** The time of the runtime. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/** What a device believes the time to be: seconds since 1970, with a fraction. It may jump, run backwards and
 *  begin at 1970 after a power cut. */
export type WallClock = () => number

/** The runtime's time of day. */
export const systemWallClock: WallClock = () => Date.now() / 1000

/** A number of 0 to below 1. */
export type Random = () => number
