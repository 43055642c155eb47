import { CHANNELS, COLDEST_KELVIN, fromHueSaturation, fromXy, type Rgbw, WARMEST_KELVIN } from './colour.ts'
import { EFFECT_NAMES } from './effects.ts'
import {
  type Fields,
  isFields,
  LightCommandError,
  number,
  oneOf,
  parseFields,
  refused,
  whole,
} from './fields.ts'
import type { LightEffect, LightState } from './light.ts'
import type { LightUpdate } from './update.ts'

/** Mireds of the coldest and the warmest white: a million divided by kelvin. */
export const COLDEST_MIREDS = 153
export const WARMEST_MIREDS = 500

/** Seconds that a flash called `short` or `long` lasts. */
export const FLASH_SECONDS = { short: 2, long: 10 } as const

const EXAMPLE = '{"state":"ON","brightness":128}'
const FIELDS = ['state', 'brightness', 'color', 'color_temp', 'color_temp_kelvin', 'white', 'effect', 'flash']
const LONGEST_SECONDS = 600

/** Reads a command in Home Assistant's JSON light schema. Each field may be missing: what it would say stays as
 *  it is. Fields that are not known are left alone.
 *  @throws LightCommandError naming the field, what was given and what would be right
 *  @see https://www.home-assistant.io/integrations/light.mqtt/#json-schema */
export function parseHomeAssistantCommand(message: Uint8Array | string): LightUpdate {
  const fields = parseFields(message, EXAMPLE)
  if (!FIELDS.some((name) => Object.hasOwn(fields, name))) {
    throw new LightCommandError(
      undefined,
      fields,
      'nothing is to change',
      `it takes at least one of ${FIELDS.join(', ')}`,
    )
  }
  return {
    ...read(fields, 'state', (value) => ({ on: stateOf(value) })),
    ...read(fields, 'brightness', (value) => ({ brightness: whole('brightness', value, 0, 255) })),
    ...colourOf(fields),
    ...read(fields, 'effect', (value) => ({
      effect: oneOf<LightEffect>('effect', value, [...EFFECT_NAMES, 'none']),
    })),
    ...read(fields, 'flash', (value) => ({ flashMs: 1000 * flashSeconds(value) })),
    ...read(fields, 'transition', (value) => ({
      transitionMs: Math.round(1000 * number('transition', value, 0, LONGEST_SECONDS)),
    })),
  }
}

/** A light's state as Home Assistant's JSON schema has it; `color_temp` is in mireds. */
export function homeAssistantState(state: LightState): Fields {
  const { on, r, g, b, w, brightness, effect, color_temp_kelvin: kelvin } = state
  return {
    state: on ? 'ON' : 'OFF',
    brightness,
    ...(kelvin === undefined
      ? { color_mode: 'rgbw', color: { r, g, b, w } }
      : { color_mode: 'color_temp', color_temp: miredsOf(kelvin) }),
    effect,
  }
}

/** The whole mireds of a temperature that a light here has. */
export function miredsOf(kelvin: number): number {
  return Math.min(WARMEST_MIREDS, Math.max(COLDEST_MIREDS, Math.round(1_000_000 / kelvin)))
}

/** The whole kelvin of a temperature that a light here has. */
export function kelvinOf(mireds: number): number {
  return Math.min(COLDEST_KELVIN, Math.max(WARMEST_KELVIN, Math.round(1_000_000 / mireds)))
}

function read<Part extends object>(
  fields: Fields,
  name: string,
  part: (value: unknown) => Part,
): Part | undefined {
  return Object.hasOwn(fields, name) ? part(fields[name]) : undefined
}

function stateOf(value: unknown): boolean | 'toggle' {
  const state = oneOf('state', value, ['ON', 'OFF', 'TOGGLE'])
  return state === 'TOGGLE' ? 'toggle' : state === 'ON'
}

/** A colour may be said in one way only. */
function colourOf(fields: Fields): Pick<LightUpdate, 'colour' | 'kelvin'> | undefined {
  const ways = ['color', 'color_temp', 'color_temp_kelvin', 'white'].filter((name) =>
    Object.hasOwn(fields, name),
  )
  const [way = '', other] = ways
  if (other !== undefined) throw refused(other, fields[other], `it does not go with ${way}`)
  const value = fields[way]
  switch (way) {
    case 'color':
      return { colour: readColour(value) }
    case 'color_temp':
      return { kelvin: temperature(value) }
    case 'color_temp_kelvin':
      return { kelvin: whole(way, value, WARMEST_KELVIN, COLDEST_KELVIN) }
    case 'white':
      return { colour: { r: 0, g: 0, b: 0, w: whole(way, value, 0, 255) } }
  }
  return undefined
}

/** Mireds; or kelvin, as a light that was announced with `color_temp_kelvin` is sent. The ranges do not meet. */
function temperature(value: unknown): number {
  if (typeof value === 'number' && value >= WARMEST_KELVIN) {
    return whole('color_temp', value, WARMEST_KELVIN, COLDEST_KELVIN)
  }
  return kelvinOf(whole('color_temp', value, COLDEST_MIREDS, WARMEST_MIREDS))
}

/** Reads `{r, g, b, w}` or some of them, `{h, s}` or `{x, y}`. Red, green and blue without white leave the white
 *  diode dark; one or two channels change nothing else. */
export function readColour(value: unknown): Partial<Rgbw> {
  if (!isFields(value)) throw refused('color', value, COLOURS)
  const has = (...names: string[]): boolean => names.every((name) => Object.hasOwn(value, name))
  if (has('h', 's')) {
    return fromHueSaturation(number('color.h', value['h'], 0, 360), number('color.s', value['s'], 0, 100))
  }
  if (has('x', 'y')) return fromXy(number('color.x', value['x'], 0, 1), number('color.y', value['y'], 0, 1))
  const names = CHANNELS.filter((name) => has(name))
  if (names.length === 0) throw refused('color', value, COLOURS)
  const channels = Object.fromEntries(
    names.map((name) => [name, whole(`color.${name}`, value[name], 0, 255)]),
  )
  return has('r', 'g', 'b') ? { w: 0, ...channels } : channels
}

const COLOURS = 'it takes an object with r, g, b and w, with h and s, or with x and y'

function flashSeconds(value: unknown): number {
  if (value === 'short' || value === 'long') return FLASH_SECONDS[value]
  if (typeof value !== 'number' || !(value >= 0.1 && value <= LONGEST_SECONDS)) {
    throw refused(
      'flash',
      value,
      `it takes short, long or a number of seconds from 0.1 to ${LONGEST_SECONDS}`,
    )
  }
  return value
}
