import type { Reading, Sensor } from './sensor.ts'

export interface TemperatureOptions {
  /** °C around which it moves; default 21. */
  readonly mean?: number
  /** °C it moves to either side; default 1.5. */
  readonly swing?: number
  /** Time of one rise and fall; default 5 minutes. */
  readonly periodMs?: number
}

/** A room's temperature without a room: a slow wave with a smaller, faster one on it. The same time gives
 *  the same reading. */
export class SimulatedTemperature implements Sensor {
  readonly quantity = 'temperature'
  private readonly mean: number
  private readonly swing: number
  private readonly periodMs: number

  constructor(options: TemperatureOptions = {}) {
    this.mean = options.mean ?? 21
    this.swing = options.swing ?? 1.5
    this.periodMs = options.periodMs ?? 300_000
  }

  read(now: number): Reading {
    const turn = (2 * Math.PI * now) / this.periodMs
    const value = this.mean + this.swing * (0.8 * Math.sin(turn) + 0.2 * Math.sin(7.3 * turn))
    return { value: Math.round(value * 100) / 100, unit: '°C' }
  }
}
