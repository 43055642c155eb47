import { normal, seeded } from './random.ts'
import type { Scenario } from './scenario.ts'

const DAY = 86_400_000
/** How long a front stays: the distance of the points between which the weather moves. */
const FRONT = DAY / 3

export interface WeatherReading {
  /** °C, two decimals. */
  readonly temperature: number
  /** % relative humidity, one decimal. */
  readonly humidity: number
}

/** The weather over a fleet: a curve of the day, fronts that pass, and a place of its own for each device. The same
 *  seed, device and moment read the same. */
export class Weather {
  private readonly conditions: Scenario['weather']
  private readonly seed: string | number

  constructor(conditions: Scenario['weather'], seed: string | number) {
    this.conditions = conditions
    this.seed = seed
  }

  /** @param device its number; neighbours are not alike
   *  @param at milliseconds since 1970, UTC */
  read(device: number, at: number): WeatherReading {
    const { temperature, daySwing, warmestAt, fronts, spread, humidity } = this.conditions
    const curve = Math.cos((2 * Math.PI * (at - warmestAt)) / DAY)
    const front = fronts * this.front(at)
    const place = seeded(this.seed, 'place', device)
    const own = spread * normal(place)
    const noise = 0.1 * normal(seeded(this.seed, 'noise', device, at))
    const warmth = daySwing * curve + front + own + noise
    // Warm air holds more: the same water is a smaller part of what it could hold.
    const damp = humidity - 2.2 * warmth + 4 * normal(place)
    return {
      temperature: rounded(temperature + warmth, 100),
      humidity: rounded(Math.min(100, Math.max(2, damp)), 10),
    }
  }

  /** Moves smoothly between points that chance sets. */
  private front(at: number): number {
    const before = Math.floor(at / FRONT)
    const way = at / FRONT - before
    const smooth = way * way * (3 - 2 * way)
    return this.point(before) * (1 - smooth) + this.point(before + 1) * smooth
  }

  private point(index: number): number {
    return normal(seeded(this.seed, 'front', index))
  }
}

function rounded(value: number, steps: number): number {
  return Math.round(value * steps) / steps
}
