import { type Reading, type Sensor, type SensorTraits, traitsOf } from './sensor.ts'

/** Counts pulses: of a rain gauge, a meter, a button. */
export class Counter implements Sensor {
  readonly quantity: string
  readonly traits: SensorTraits
  private count: number

  /** @param options.start what was counted before, such as before a deep sleep
   *  @throws RangeError when that is no whole number from 0 on */
  constructor(options: { readonly quantity?: string; readonly start?: number; readonly unit?: string } = {}) {
    const { quantity = 'count', start = 0, unit = '' } = options
    this.quantity = quantity
    this.traits = { ...traitsOf({ quantity: 'count' }), unit }
    this.count = wholeFrom('start', start)
  }

  /** @throws RangeError when `pulses` is no whole number from 0 on */
  add(pulses = 1): void {
    this.count += wholeFrom('pulses', pulses)
  }

  read(_now: number): Reading {
    return { value: this.count, unit: this.traits.unit }
  }
}

function wholeFrom(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`${name} is ${value}; it takes a whole number from 0 on`)
}
