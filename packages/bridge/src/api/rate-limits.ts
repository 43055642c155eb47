import type { RateLimit } from './access.ts'
import { Problem } from './problem.ts'

interface Bucket {
  tokens: number
  at: number
}

const BUCKETS = 10_000

/** How much each caller has left, in this process. */
export class RateLimits {
  private readonly buckets = new Map<string, Bucket>()

  /** Takes one request's worth. @throws Problem 429 saying when to come again */
  take(name: string, { perSecond, burst = Math.max(1, perSecond) }: RateLimit, now: number): void {
    let bucket = this.buckets.get(name)
    if (bucket === undefined) {
      // Names come from tokens: they are not let grow without bound.
      if (this.buckets.size >= BUCKETS) this.buckets.clear()
      bucket = { tokens: burst, at: now }
      this.buckets.set(name, bucket)
    }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
    bucket.at = now
    if (bucket.tokens < 1) {
      const retryAfter = Math.ceil((1 - bucket.tokens) / perSecond)
      throw new Problem(429, `more than ${perSecond} requests a second`, { retryAfter })
    }
    bucket.tokens--
  }
}
