/** One reading, as it stands in the JSON that is published. */
export interface Reading {
  readonly value: number
  /** As written for people: `°C`, `%`. */
  readonly unit: string
}

/** Something that measures one quantity. */
export interface Sensor {
  /** The last level of its topic: `temperature`. */
  readonly quantity: string
  /** What kind of quantity it is; absent: what `traitsOf` knows of that name. */
  readonly traits?: SensorTraits
  /** @param now milliseconds of the clock that runs the device; never less than the last time. The same time
   *    gives the same reading. */
  read(now: number): Reading
}

/** What can be said of a quantity without measuring it. */
export interface SensorTraits {
  /** `binary`: its value is 1 or 0, and is published as true or false. */
  readonly kind: 'number' | 'binary'
  /** Empty: it has none. */
  readonly unit: string
  /** Home Assistant's word for the quantity. */
  readonly deviceClass?: string
  /** `total_increasing`: it only grows, or begins again at 0. */
  readonly stateClass?: 'measurement' | 'total_increasing'
  /** Digits behind the point. */
  readonly decimals: number
  readonly lowest: number
  readonly highest: number
}

const measured = (unit: string, deviceClass: string, decimals: number, lowest: number, highest: number) =>
  ({ kind: 'number', unit, deviceClass, stateClass: 'measurement', decimals, lowest, highest }) as const

const binary = (deviceClass: string) =>
  ({ kind: 'binary', unit: '', deviceClass, decimals: 0, lowest: 0, highest: 1 }) as const

const KNOWN: ReadonlyMap<string, SensorTraits> = new Map<string, SensorTraits>([
  ['temperature', measured('°C', 'temperature', 2, -100, 200)],
  ['humidity', measured('%', 'humidity', 1, 0, 100)],
  ['pressure', measured('hPa', 'atmospheric_pressure', 1, 0, 2000)],
  ['illuminance', measured('lx', 'illuminance', 0, 0, 200_000)],
  ['battery', measured('%', 'battery', 0, 0, 100)],
  ['voltage', measured('V', 'voltage', 3, -1000, 1000)],
  ['motion', binary('motion')],
  ['door', binary('door')],
  [
    'count',
    {
      kind: 'number',
      unit: '',
      stateClass: 'total_increasing',
      decimals: 0,
      lowest: 0,
      highest: 2 ** 53 - 1,
    },
  ],
])

/** What kind of quantity a sensor measures: what it says itself, or what is known of its name. */
export function traitsOf({ quantity, traits }: Pick<Sensor, 'quantity' | 'traits'>): SensorTraits {
  return (
    traits ??
    KNOWN.get(quantity) ?? {
      kind: 'number',
      unit: '',
      stateClass: 'measurement',
      decimals: 2,
      lowest: -Number.MAX_VALUE,
      highest: Number.MAX_VALUE,
    }
  )
}

/** A sensor of what a function measures, rounded as its traits say.
 *  @param measure gives the value; NaN when there is none now, which is then not published */
export function sensorOf(quantity: string, measure: (now: number) => number, traits?: SensorTraits): Sensor {
  const own = traitsOf({ quantity, traits })
  return {
    quantity,
    traits: own,
    read: (now) => ({ value: toDecimals(measure(now), own.decimals), unit: own.unit }),
  }
}

/** The JSON that is published of a reading: `{"temperature":21.37,"unit":"°C"}`, `{"motion":true}`. */
export function readingPayload(sensor: Sensor, { value, unit }: Reading): string {
  const isBinary = traitsOf(sensor).kind === 'binary'
  return JSON.stringify({ [sensor.quantity]: isBinary ? value !== 0 : value, ...(unit !== '' && { unit }) })
}

export function toDecimals(value: number, decimals: number): number {
  const factor = 10 ** decimals
  // Without + 0 a little below nothing would be minus nothing.
  return Math.round(value * factor) / factor + 0
}
