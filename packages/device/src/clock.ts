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
