import type { Random } from '../clock.ts'
import { type Reading, type Sensor, type SensorTraits, traitsOf } from './sensor.ts'

/** A motion detector: 1 from a trigger on until it has been still for a while. */
export class MotionSensor implements Sensor {
  readonly quantity = 'motion'
  readonly traits: SensorTraits = traitsOf({ quantity: 'motion' })
  private readonly holdMs: number
  private until = Number.NEGATIVE_INFINITY

  /** @param holdMs how long one trigger counts; default 10 s */
  constructor(holdMs = 10_000) {
    this.holdMs = holdMs
  }

  /** Something moves. */
  trigger(now: number): void {
    this.until = Math.max(this.until, now + this.holdMs)
  }

  read(now: number): Reading {
    return { value: now < this.until ? 1 : 0, unit: '' }
  }
}

/** Someone who comes by now and then, independent of when they came last. */
export class SimulatedMotion extends MotionSensor {
  private readonly random: Random
  private readonly meanMs: number
  private nextAt: number

  /** @param meanMs between two of their movements; default 1 minute */
  constructor(random: Random, meanMs = 60_000, holdMs?: number) {
    super(holdMs)
    this.random = random
    this.meanMs = meanMs
    this.nextAt = this.pause()
  }

  override read(now: number): Reading {
    while (this.nextAt <= now) {
      this.trigger(this.nextAt)
      this.nextAt += this.pause()
    }
    return super.read(now)
  }

  private pause(): number {
    return Math.max(1, -this.meanMs * Math.log(1 - this.random()))
  }
}
