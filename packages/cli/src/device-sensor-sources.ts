import { readFileSync } from 'node:fs'
import { readingPayload, type Sensor, sensorOf, traitsOf } from '@pipit/device'
import { UsageError } from './command-line.ts'
import { fileFault } from './named-file.ts'

/** What a quantity may be called: a level of its topic and a key of its JSON. */
const QUANTITY = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

/** A sensor whose value is the number that a file begins with, read anew each time.
 *  @param said `temperature=/sys/class/thermal/thermal_zone0/temp`
 *  @throws UsageError when that is not what it says */
export function fileSensor(said: string, scale: number): Sensor {
  const at = said.indexOf('=')
  const [quantity, path] = [said.slice(0, at), said.slice(at + 1)]
  if (at < 1 || path === '' || !QUANTITY.test(quantity)) {
    throw new UsageError(
      `--file is ${JSON.stringify(said)}; it takes QUANTITY=PATH, such as temperature=/sys/class/thermal/thermal_zone0/temp`,
    )
  }
  numberIn(path)
  return sensorOf(quantity, () => numberIn(path) * scale)
}

/** @throws UsageError when the file cannot be read or does not begin with a number */
function numberIn(path: string): number {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`--file ${path}: ${fileFault(error)}`)
  }
  const value = Number.parseFloat(text)
  if (Number.isFinite(value)) return value
  throw new UsageError(
    `--file ${path}: it begins with ${JSON.stringify(text.slice(0, 20))}, which is no number`,
  )
}

export interface LineReading {
  readonly quantity: string
  readonly payload: string
  /** For a person. */
  readonly shown: string
}

/** The readings of one line of JSON; an Error that says what is wrong with it. */
export function readingsOf(line: string, number: number): LineReading[] | Error {
  const example = 'a line is a JSON object such as {"temperature":21.4}'
  if (line.trim() === '') return []
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return new Error(`line ${number} is no JSON: ${JSON.stringify(line.slice(0, 60))}; ${example}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Error(`line ${number} is no object: ${line.slice(0, 60)}; ${example}`)
  }
  const readings: LineReading[] = []
  for (const [quantity, given] of Object.entries(value)) {
    const measured = typeof given === 'boolean' ? Number(given) : given
    if (!QUANTITY.test(quantity)) {
      return new Error(
        `line ${number}: ${JSON.stringify(quantity)} is no name of a quantity; it takes letters, digits, _ and -`,
      )
    }
    if (typeof measured !== 'number' || !Number.isFinite(measured)) {
      return new Error(
        `line ${number}: ${quantity} is ${JSON.stringify(given)}; it takes a number, true or false`,
      )
    }
    readings.push(lineReading(quantity, measured))
  }
  return readings
}

function lineReading(quantity: string, value: number): LineReading {
  const { unit } = traitsOf({ quantity })
  const sensor = sensorOf(quantity, () => value)
  const payload = readingPayload(sensor, sensor.read(0))
  return { quantity, payload, shown: `${quantity} ${value}${unit && ` ${unit}`}` }
}
