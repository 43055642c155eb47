import { type Sensor, sensorOf } from './sensor.ts'

/** What a chip such as an SHT31 or a DHT22 gives in one measurement. */
export interface Climate {
  /** °C */
  readonly temperature: number
  /** Relative, per cent. */
  readonly humidity: number
}

export interface ClimateSensors {
  readonly temperature: Sensor
  readonly humidity: Sensor
}

/** Two sensors of one chip: read at the same time they share one measurement.
 *  @param measure NaN for what could not be measured */
export function climateSensors(measure: (now: number) => Climate): ClimateSensors {
  let last: { readonly now: number; readonly climate: Climate } | undefined
  const measured = (now: number): Climate => {
    if (last?.now !== now) last = { now, climate: measure(now) }
    return last.climate
  }
  return {
    temperature: sensorOf('temperature', (now) => measured(now).temperature),
    humidity: sensorOf('humidity', (now) => measured(now).humidity),
  }
}

/** A room's day: the warmer it is, the drier. The same time gives the same climate.
 *  @param options.dayMs milliseconds of one day; default 5 minutes, so that one can watch it */
export function simulatedClimate(
  options: { readonly dayMs?: number; readonly mean?: Climate } = {},
): (now: number) => Climate {
  const { dayMs = 300_000, mean = { temperature: 21, humidity: 48 } } = options
  return (now) => {
    const turn = (2 * Math.PI * now) / dayMs
    const warmer = 1.5 * (0.8 * Math.sin(turn) + 0.2 * Math.sin(7.3 * turn))
    const humidity = mean.humidity - 3.2 * warmer + 0.8 * Math.sin(3.1 * turn)
    return { temperature: mean.temperature + warmer, humidity: Math.min(100, Math.max(0, humidity)) }
  }
}
