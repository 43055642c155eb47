/** What the strokes of the last minutes say. */
export interface StormReport {
  /** Strokes a minute, over the last whole window. */
  readonly strokesPerMinute: number
  /** Of the window; undefined when there was none. */
  readonly nearestKm: number | undefined
  /** How fast the strokes come nearer, negative when they go away; undefined until there is enough to tell. */
  readonly approachKmPerHour: number | undefined
}

interface Bucket {
  readonly index: number
  count: number
  nearestKm: number
  sumKm: number
}

const BUCKET_MS = 30_000
/** Fewer tell nothing of a movement. */
const LEAST_BUCKETS = 4

/** Rate, nearest and approach of strokes over a window of time, in memory that does not grow with their number. */
export class StormWatch {
  private readonly windowMs: number
  private readonly buckets: Bucket[] = []

  /** @param windowMs at least two minutes */
  constructor(windowMs = 600_000) {
    if (!(windowMs >= LEAST_BUCKETS * BUCKET_MS))
      throw new RangeError(`windowMs is ${windowMs}; it takes 120000 and more`)
    this.windowMs = windowMs
  }

  /** Takes a stroke. @param at milliseconds since the epoch */
  add(at: number, distanceKm: number): void {
    const index = Math.floor(at / BUCKET_MS)
    let place = this.buckets.length
    // Strokes come nearly in order.
    while (place > 0 && (this.buckets[place - 1]?.index ?? 0) > index) place--
    const before = this.buckets[place - 1]
    if (before?.index === index) {
      before.count++
      before.sumKm += distanceKm
      before.nearestKm = Math.min(before.nearestKm, distanceKm)
    } else this.buckets.splice(place, 0, { index, count: 1, nearestKm: distanceKm, sumKm: distanceKm })
    const newest = this.buckets.at(-1)?.index ?? index
    const oldest = newest - this.windowMs / BUCKET_MS
    while ((this.buckets[0]?.index ?? newest) < oldest) this.buckets.shift()
  }

  /** What the window that ends at `now` says. */
  report(now: number): StormReport {
    const from = (now - this.windowMs) / BUCKET_MS
    const within = this.buckets.filter(({ index }) => index >= from && index <= now / BUCKET_MS)
    const count = within.reduce((sum, bucket) => sum + bucket.count, 0)
    const nearest = within.reduce(
      (least, bucket) => Math.min(least, bucket.nearestKm),
      Number.POSITIVE_INFINITY,
    )
    return {
      strokesPerMinute: count / (this.windowMs / 60_000),
      nearestKm: count === 0 ? undefined : nearest,
      approachKmPerHour: approachOf(within),
    }
  }
}

/** The slope of the mean distance over time, by least squares weighted by the strokes. */
function approachOf(buckets: readonly Bucket[]): number | undefined {
  if (buckets.length < LEAST_BUCKETS) return undefined
  let [weight, meanTime, meanKm] = [0, 0, 0]
  for (const { index, count, sumKm } of buckets) {
    weight += count
    meanTime += index * count
    meanKm += sumKm
  }
  meanTime /= weight
  meanKm /= weight
  let [covariance, variance] = [0, 0]
  for (const { index, count, sumKm } of buckets) {
    covariance += count * (index - meanTime) * (sumKm / count - meanKm)
    variance += count * (index - meanTime) ** 2
  }
  return (-covariance / variance) * (3_600_000 / BUCKET_MS)
}
