import { type Reading, type Sensor, toDecimals, traitsOf } from './sensor.ts'

interface Point {
  /** What the sensor says. */
  readonly measured: number
  /** What is true. */
  readonly actual: number
}

/** How a sensor's values become true ones: `value * scale + offset`, or the line through two points where the
 *  truth is known. */
export type Calibration =
  | { readonly offset?: number; readonly scale?: number }
  | { readonly points: readonly [Point, Point] }

/** The same sensor with its values put right, and kept within what its quantity can be.
 *  @throws RangeError when the calibration makes no line */
export function calibrated(sensor: Sensor, calibration: Calibration): Sensor {
  const { scale, offset } = lineOf(calibration)
  const traits = traitsOf(sensor)
  return {
    quantity: sensor.quantity,
    traits,
    read(now: number): Reading {
      const { value, unit } = sensor.read(now)
      const actual = value * scale + offset
      const bounded = Math.min(traits.highest, Math.max(traits.lowest, actual))
      return { value: toDecimals(bounded, traits.decimals), unit }
    },
  }
}

function lineOf(calibration: Calibration): { readonly scale: number; readonly offset: number } {
  if (!('points' in calibration)) {
    const { scale = 1, offset = 0 } = calibration
    if (!Number.isFinite(scale) || scale === 0)
      throw new RangeError(`scale is ${scale}; it takes a number other than 0`)
    if (!Number.isFinite(offset)) throw new RangeError(`offset is ${offset}; it takes a number`)
    return { scale, offset }
  }
  const [low, high] = calibration.points
  const scale = (high.actual - low.actual) / (high.measured - low.measured)
  if (!Number.isFinite(scale) || scale === 0) {
    throw new RangeError(
      'the two points are one, or one above the other; they take two different values each',
    )
  }
  return { scale, offset: low.actual - low.measured * scale }
}
