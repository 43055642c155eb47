import type { Incoming } from '../collector/collector.ts'
import { geohash } from './geohash.ts'
import { destination, type Place } from './sphere.ts'

export interface SimulationOptions {
  readonly centre: Place
  readonly radiusKm: number
  /** What the topics begin with; default `blitzortung`. */
  readonly root?: string
  /** Storms at a time; default 2. */
  readonly storms?: number
  /** On average; default 2. */
  readonly strokesPerSecond?: number
  /** The same seed gives the same storms; default 1. */
  readonly seed?: number
  /** When it begins, milliseconds since the epoch. */
  readonly startAt: number
}

/** One simulated message. */
export interface SimulatedStroke extends Incoming {
  /** Milliseconds since the epoch. */
  readonly at: number
}

const encoder = new TextEncoder()

/** Storms that move, stroke after stroke without end, in the shape that a relay sends. Each crosses the circle
 *  near its centre at 40 to 90 km/h; when it has left, the next one comes.
 *  @throws RangeError for no storm or no strokes */
export function* simulateStorms(options: SimulationOptions): Generator<SimulatedStroke, never> {
  const { centre, radiusKm, root = 'blitzortung', storms: count = 2, strokesPerSecond = 2 } = options
  if (!(count >= 1)) throw new RangeError(`storms is ${count}; it takes 1 and more`)
  if (!(strokesPerSecond > 0))
    throw new RangeError(`strokesPerSecond is ${strokesPerSecond}; it takes more than 0`)
  const random = randomFrom(options.seed ?? 1)
  const storms = Array.from({ length: count }, () => new Storm(centre, radiusKm, random))
  let at = options.startAt
  for (;;) {
    const seconds = -Math.log(1 - random()) / strokesPerSecond
    at += seconds * 1000
    for (const [i, storm] of storms.entries()) {
      storm.move(seconds)
      if (storm.hasLeft) storms[i] = new Storm(centre, radiusKm, random)
    }
    const storm = storms[Math.floor(random() * storms.length)] as Storm
    yield { at, ...messageOf(root, storm.strike(random), at, random) }
  }
}

class Storm {
  private place: Place
  private readonly course: number
  private readonly kmPerSecond: number
  private readonly sizeKm: number
  private leftKm: number

  constructor(centre: Place, radiusKm: number, random: () => number) {
    const from = random() * 360
    this.sizeKm = radiusKm * (0.03 + 0.05 * random())
    this.place = destination(centre, from, radiusKm)
    // Nearly towards the centre.
    this.course = from + 180 + (random() - 0.5) * 20
    this.kmPerSecond = (40 + 50 * random()) / 3600
    this.leftKm = 2 * radiusKm
  }

  get hasLeft(): boolean {
    return this.leftKm <= 0
  }

  move(seconds: number): void {
    const km = this.kmPerSecond * seconds
    this.leftKm -= km
    this.place = destination(this.place, this.course, km)
  }

  /** Most strokes are near the middle. */
  strike(random: () => number): Place {
    return destination(this.place, random() * 360, this.sizeKm * Math.sqrt(-Math.log(1 - random())))
  }
}

function messageOf(root: string, place: Place, at: number, random: () => number): Incoming {
  const cell = [...geohash(place, 9)].join('/')
  const nanoseconds = BigInt(Math.floor(at * 1000)) * 1000n + BigInt(Math.floor(random() * 1000))
  const { latitude, longitude } = place
  // By hand: JSON.stringify takes no bigint.
  const json = `{"time":${nanoseconds},"lat":${latitude.toFixed(6)},"lon":${longitude.toFixed(6)},"status":0,"region":1}`
  return { topic: `${root}/1.1/${cell}`, payload: encoder.encode(json) }
}

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
