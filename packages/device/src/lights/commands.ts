import { MqttError } from '@pipit/protocol'
import type { Rgbw } from './colour.ts'

/** What a light is told on its control topic, checked. */
export type LightCommand =
  | ({ readonly action: 'set_color' } & Rgbw)
  | { readonly action: 'on' }
  | { readonly action: 'off' }
  | { readonly action: 'set_brightness'; readonly brightness: number }
  | { readonly action: 'blink'; readonly durationMs: number }
  /** With `to`: goes to that colour once. Without: breathes in the colour the light has. */
  | { readonly action: 'fade'; readonly to: Rgbw | undefined; readonly durationMs: number }
  | { readonly action: 'rainbow'; readonly durationMs: number }

export type LightAction = LightCommand['action']

export const LIGHT_ACTIONS = [
  'set_color',
  'on',
  'off',
  'set_brightness',
  'blink',
  'fade',
  'rainbow',
] as const satisfies readonly LightAction[]

/** A command that was refused; it changed nothing. */
export class LightCommandError extends MqttError {
  /** The field that was wrong; undefined when the whole message was. */
  readonly field: string | undefined
  /** What stood there, as parsed; undefined when nothing did. */
  readonly given: unknown
  /** What would be right. */
  readonly expected: string

  constructor(field: string | undefined, given: unknown, fault: string, expected: string) {
    super('COMMAND_REFUSED', `${fault}; ${expected}`)
    this.field = field
    this.given = given
    this.expected = expected
  }
}

type Fields = Readonly<Record<string, unknown>>

const CHANNELS = ['r', 'g', 'b', 'w'] as const
const EXAMPLE = '{"action":"set_color","r":255,"g":0,"b":0,"w":0}'
const SHORTEST_MS = 100
const LONGEST_MS = 600_000

/** Reads a command from the bytes of a message, or from text.
 *  Fields that the action does not know are left alone.
 *  @throws LightCommandError naming the field, what was given and what would be right */
export function parseLightCommand(message: Uint8Array | string): LightCommand {
  const fields = parseObject(message)
  const action = fields['action']
  switch (action) {
    case 'set_color':
      return { action, ...colour(fields, 'set_color') }
    case 'on':
    case 'off':
      return { action }
    case 'set_brightness':
      return { action, brightness: brightness(fields) }
    case 'blink':
      return { action, durationMs: duration(fields, 1_000) }
    case 'fade': {
      const to = CHANNELS.some((name) => Object.hasOwn(fields, name)) ? colour(fields, 'fade') : undefined
      return { action, to, durationMs: duration(fields, to === undefined ? 3_000 : 1_000) }
    }
    case 'rainbow':
      return { action, durationMs: duration(fields, 6_000) }
  }
  const fault = action === undefined ? 'action is missing' : `action is ${shown(action)}`
  const names = `${LIGHT_ACTIONS.slice(0, -1).join(', ')} or ${LIGHT_ACTIONS.at(-1)}`
  throw new LightCommandError('action', action, fault, `it takes ${names}`)
}

function parseObject(message: Uint8Array | string): Fields {
  const expected = `a command is an object such as ${EXAMPLE}`
  let text: string
  try {
    text = typeof message === 'string' ? message : new TextDecoder('utf-8', { fatal: true }).decode(message)
  } catch {
    throw new LightCommandError(undefined, undefined, 'the command is not UTF-8 text', expected)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const given = text === '' ? 'the command is empty' : `the command is not JSON: ${shown(text)}`
    throw new LightCommandError(undefined, text, given, expected)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new LightCommandError(undefined, value, `the command is ${shown(value)}`, expected)
  }
  return value as Fields
}

function colour(fields: Fields, action: string): Rgbw {
  const [r, g, b, w] = CHANNELS.map((name) => {
    if (Object.hasOwn(fields, name)) return whole(name, fields[name], 0, 255)
    const fault = `${name} is missing`
    throw new LightCommandError(
      name,
      undefined,
      fault,
      `${action} takes r, g, b and w, each a whole number from 0 to 255`,
    )
  })
  return { r: r ?? 0, g: g ?? 0, b: b ?? 0, w: w ?? 0 }
}

/** The field is `brightness`; `value` is what many ESP32 sketches call it. */
function brightness(fields: Fields): number {
  const name = !Object.hasOwn(fields, 'brightness') && Object.hasOwn(fields, 'value') ? 'value' : 'brightness'
  if (Object.hasOwn(fields, name)) return whole(name, fields[name], 0, 255)
  const expected = 'set_brightness takes brightness, a whole number from 0 to 255'
  throw new LightCommandError('brightness', undefined, 'brightness is missing', expected)
}

function duration(fields: Fields, unlessGiven: number): number {
  if (!Object.hasOwn(fields, 'duration_ms')) return unlessGiven
  return whole('duration_ms', fields['duration_ms'], SHORTEST_MS, LONGEST_MS)
}

function whole(name: string, value: unknown, lowest: number, highest: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= lowest && value <= highest)
    return value + 0
  const expected = `it takes a whole number from ${lowest} to ${highest}`
  throw new LightCommandError(name, value, `${name} is ${shown(value)}`, expected)
}

function shown(value: unknown): string {
  // JSON has no word for the number 1e999.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`
}
