import type { Incoming } from '../collector/collector.ts'
import { type CollectorOptions, Feed, type Reading } from '../collector/feed.ts'
import { geohashCover } from './geohash.ts'
import { bearing, distanceKm, type Place } from './sphere.ts'
import { type StormReport, StormWatch } from './storm-watch.ts'
import { readStroke } from './stroke.ts'

export interface LightningOptions extends CollectorOptions {
  readonly centre: Place
  /** Strokes beyond it are dropped; above 0, up to 10000. */
  readonly radiusKm: number
  /** What the topics begin with, before `/1.1/`; default `blitzortung`. */
  readonly root?: string
  /** A stroke within this distance is an `alert`: the first, and the first after `alertRestMs` without one. */
  readonly alertDistanceKm?: number
  /** Default 600000. */
  readonly alertRestMs?: number
}

const OUTSIDE: Reading = { records: [], skipped: 'outside' }

/** Collects lightning strokes around a place, from the user's own relay. */
export class LightningCollector extends Feed {
  /** The geohash cells that are subscribed; [''] is the whole earth. */
  readonly cells: readonly string[]
  private readonly watch: StormWatch

  /** @throws RangeError for a place or a radius that is none */
  constructor(options: LightningOptions) {
    const { centre, radiusKm, root = 'blitzortung', alertDistanceKm, alertRestMs = 600_000 } = options
    const cells = geohashCover(centre, radiusKm)
    const watch = new StormWatch()
    const tell = (distance: number, direction: number): void =>
      this.alert({ kind: 'near', distanceKm: distance, bearing: direction })
    const near = new NearAlert(alertDistanceKm ?? -1, alertRestMs, tell)
    super(
      {
        name: 'lightning',
        filters: cells.map((cell) => [root, '1.1', ...cell, '#'].join('/')),
        read: ({ payload }: Incoming) => {
          const stroke = readStroke(payload)
          const distance = distanceKm(centre, stroke)
          if (distance > radiusKm) return OUTSIDE
          const at = Number(stroke.timeNs / 1_000_000n)
          const direction = bearing(centre, stroke)
          watch.add(at, distance)
          near.take(at, distance, direction)
          return { records: [{ table: 'strokes', ...stroke, distanceKm: distance, bearing: direction }] }
        },
      },
      options,
    )
    this.cells = cells
    this.watch = watch
  }

  /** Rate, nearest and approach over the ten minutes before `now`, milliseconds since the epoch. */
  report(now = Date.now()): StormReport {
    return this.watch.report(now)
  }
}

/** Tells of the first stroke within a distance, and again after a rest. */
class NearAlert {
  private readonly withinKm: number
  private readonly restMs: number
  private readonly tell: (distanceKm: number, bearing: number) => void
  private lastAt = Number.NEGATIVE_INFINITY

  constructor(withinKm: number, restMs: number, tell: (distanceKm: number, bearing: number) => void) {
    this.withinKm = withinKm
    this.restMs = restMs
    this.tell = tell
  }

  take(at: number, distance: number, direction: number): void {
    if (distance > this.withinKm) return
    const isNew = at - this.lastAt > this.restMs
    this.lastAt = Math.max(this.lastAt, at)
    if (isNew) this.tell(distance, direction)
  }
}
