import { type Sensor, sensorOf } from './sensor.ts'

/** Volts of a lithium cell at rest and what is left in it, per cent: the middle of common 18650 data sheets. */
const CURVE = [
  [3.0, 0],
  [3.45, 5],
  [3.68, 10],
  [3.74, 20],
  [3.77, 30],
  [3.79, 40],
  [3.82, 50],
  [3.87, 60],
  [3.92, 70],
  [3.98, 80],
  [4.06, 90],
  [4.2, 100],
] as const

/** What is left in a lithium cell by its voltage at rest, 0 to 100 per cent. */
export function chargeOf(volts: number): number {
  if (Number.isNaN(volts)) return volts
  let [below, charge]: readonly [number, number] = CURVE[0]
  if (volts <= below) return charge
  for (const [above, more] of CURVE) {
    if (volts < above) return charge + ((more - charge) * (volts - below)) / (above - below)
    ;[below, charge] = [above, more]
  }
  return 100
}

/** A lithium cell by what its voltage divider measures.
 *  @param measure volts of the cell */
export function batterySensor(measure: (now: number) => number): Sensor {
  return sensorOf('battery', (now) => chargeOf(measure(now)))
}

/** A cell that is full at 0 and empty when its time is over.
 *  @param lastsMs default 30 days */
export function simulatedBattery(lastsMs = 30 * 86_400_000): Sensor {
  return sensorOf('battery', (now) => 100 * Math.max(0, 1 - now / lastsMs))
}
