/** Buckets for each doubling: a value is told to within 1 part in 32. */
const PARTS = 32
const FIRST_BITS = 5

/** Times in microseconds, counted in buckets that grow with them. */
export class Histogram {
  private readonly counts: number[]

  /** @param counts of another one, as `toJSON` gave them */
  constructor(counts: readonly number[] = []) {
    this.counts = [...counts]
    while (this.counts.length < PARTS * 28) this.counts.push(0)
  }

  /** @param microseconds 0 to 2^31 */
  add(microseconds: number): void {
    this.counts[bucketOf(microseconds | 0)]!++
  }

  addAll(other: readonly number[]): void {
    for (const [i, count] of other.entries()) this.counts[i]! += count
  }

  get count(): number {
    return this.counts.reduce((sum, each) => sum + each, 0)
  }

  /** The time that at least `share` of what was counted did not exceed, microseconds; NaN of nothing. */
  quantile(share: number): number {
    const wanted = Math.ceil(share * this.count)
    let sum = 0
    for (const [i, count] of this.counts.entries()) {
      sum += count
      if (sum >= wanted && sum > 0) return highestOf(i)
    }
    return Number.NaN
  }

  clear(): void {
    this.counts.fill(0)
  }

  /** Buckets up to the last that is not empty. */
  toJSON(): number[] {
    return this.counts.slice(0, this.counts.findLastIndex((count) => count > 0) + 1)
  }
}

function bucketOf(value: number): number {
  if (value < PARTS) return value < 0 ? 0 : value
  const doublings = 31 - Math.clz32(value) - FIRST_BITS
  return doublings * PARTS + (value >> doublings)
}

function highestOf(bucket: number): number {
  if (bucket < 2 * PARTS) return bucket
  const doublings = Math.floor(bucket / PARTS) - 1
  return ((bucket - doublings * PARTS + 1) << doublings) - 1
}
