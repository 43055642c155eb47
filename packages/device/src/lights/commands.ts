import { CHANNELS, COLDEST_KELVIN, type Rgbw, WARMEST_KELVIN } from './colour.ts'
import { EFFECT_NAMES, EFFECTS, type EffectName } from './effects.ts'
import { type Fields, LightCommandError, listed, oneOf, parseFields, refused, whole } from './fields.ts'
import type { LightUpdate } from './update.ts'

interface Gently {
  /** Milliseconds to get there; absent: at once. */
  readonly transitionMs?: number
}

/** What a light is told on its control topic, checked. */
export type LightCommand =
  | ({ readonly action: 'set_color' } & Rgbw & Gently)
  | ({ readonly action: 'on' } & Gently)
  | ({ readonly action: 'off' } & Gently)
  | ({ readonly action: 'toggle' } & Gently)
  | ({ readonly action: 'set_brightness'; readonly brightness: number } & Gently)
  | { readonly action: 'blink'; readonly durationMs: number }
  /** With `to`: goes to that colour once. Without: breathes in the colour the light has. */
  | { readonly action: 'fade'; readonly to: Rgbw | undefined; readonly durationMs: number }
  | { readonly action: 'rainbow'; readonly durationMs: number }
  | { readonly action: 'effect'; readonly effect: EffectName | 'none'; readonly durationMs?: number }
  /** Changes only what it names. */
  | { readonly action: 'update'; readonly update: LightUpdate }

export type LightAction = LightCommand['action']

export const LIGHT_ACTIONS = [
  'set_color',
  'on',
  'off',
  'toggle',
  'set_brightness',
  'blink',
  'fade',
  'rainbow',
  'effect',
  'update',
] as const satisfies readonly LightAction[]

const EXAMPLE = '{"action":"set_color","r":255,"g":0,"b":0,"w":0}'
const SHORTEST_MS = 100
const LONGEST_MS = 600_000

/** Reads a command from the bytes of a message, or from text.
 *  Fields that the action does not know are left alone.
 *  @throws LightCommandError naming the field, what was given and what would be right */
export function parseLightCommand(message: Uint8Array | string): LightCommand {
  const fields = parseFields(message, EXAMPLE)
  const action = fields['action']
  switch (action) {
    case 'set_color':
      return { action, ...colour(fields, 'set_color'), ...gently(fields) }
    case 'on':
    case 'off':
    case 'toggle':
      return { action, ...gently(fields) }
    case 'set_brightness':
      return { action, brightness: brightness(fields), ...gently(fields) }
    case 'blink':
    case 'rainbow':
      return { action, durationMs: duration(fields) ?? EFFECTS[action].turnMs }
    case 'fade': {
      const to = CHANNELS.some((name) => Object.hasOwn(fields, name)) ? colour(fields, 'fade') : undefined
      return { action, to, durationMs: duration(fields) ?? (to === undefined ? EFFECTS.fade.turnMs : 1_000) }
    }
    case 'effect':
      return { action, effect: effect(fields['effect']), durationMs: duration(fields) }
    case 'update':
      return { action, update: update(fields) }
  }
  throw refused('action', action, `it takes ${listed(LIGHT_ACTIONS)}`)
}

/** What a command changes of a light. */
export function updateOf(command: LightCommand): LightUpdate {
  switch (command.action) {
    case 'set_color': {
      const { r, g, b, w, transitionMs } = command
      return { on: true, colour: { r, g, b, w }, transitionMs }
    }
    case 'on':
    case 'off':
      return { on: command.action === 'on', effect: 'none', transitionMs: command.transitionMs }
    case 'toggle':
      return { on: 'toggle', transitionMs: command.transitionMs }
    case 'set_brightness':
      return { brightness: command.brightness, transitionMs: command.transitionMs }
    case 'fade':
      if (command.to === undefined) return { on: true, effect: 'fade', turnMs: command.durationMs }
      return { on: true, colour: command.to, transitionMs: command.durationMs, isFade: true }
    case 'blink':
    case 'rainbow':
      return { on: true, effect: command.action, turnMs: command.durationMs }
    case 'effect':
      return { effect: command.effect, turnMs: command.durationMs }
    case 'update':
      return command.update
  }
}

/** The command of ours that makes an update, for someone who speaks another language. */
export function commandOf(change: LightUpdate): Fields {
  const { on, colour: channels, kelvin, brightness: level, turnMs, transitionMs, flashMs } = change
  const entries = Object.entries({
    ...(on === undefined ? {} : { on }),
    ...channels,
    color_temp_kelvin: kelvin,
    brightness: level,
    effect: change.effect,
    duration_ms: turnMs,
    transition_ms: transitionMs,
    flash_ms: flashMs,
  })
  return { action: 'update', ...Object.fromEntries(entries.filter(([, value]) => value !== undefined)) }
}

function update(fields: Fields): LightUpdate {
  const given = (name: string): boolean => Object.hasOwn(fields, name)
  const names = CHANNELS.filter(given)
  const channels = Object.fromEntries(names.map((name) => [name, whole(name, fields[name], 0, 255)]))
  const found: LightUpdate = {
    ...(given('on') && { on: switched(fields['on']) }),
    ...(names.length > 0 && { colour: channels }),
    ...(given('color_temp_kelvin') && {
      kelvin: whole('color_temp_kelvin', fields['color_temp_kelvin'], WARMEST_KELVIN, COLDEST_KELVIN),
    }),
    ...(given('brightness') && { brightness: whole('brightness', fields['brightness'], 0, 255) }),
    ...(given('effect') && { effect: effect(fields['effect']) }),
    ...(given('flash_ms') && { flashMs: whole('flash_ms', fields['flash_ms'], SHORTEST_MS, LONGEST_MS) }),
  }
  if (names.length > 0 && given('color_temp_kelvin')) {
    throw refused('color_temp_kelvin', fields['color_temp_kelvin'], 'it does not go with r, g, b and w')
  }
  if (Object.keys(found).length === 0) {
    const expected =
      'update takes at least one of on, r, g, b, w, brightness, color_temp_kelvin, effect and flash_ms'
    throw new LightCommandError(undefined, fields, 'nothing is to change', expected)
  }
  const turnMs = duration(fields)
  return { ...found, ...(turnMs !== undefined && { turnMs }), ...gently(fields) }
}

function switched(value: unknown): boolean | 'toggle' {
  if (typeof value === 'boolean' || value === 'toggle') return value
  throw refused('on', value, 'it takes true, false or "toggle"')
}

function effect(value: unknown): EffectName | 'none' {
  return oneOf('effect', value, [...EFFECT_NAMES, 'none'])
}

function colour(fields: Fields, action: string): Rgbw {
  const [r, g, b, w] = CHANNELS.map((name) => {
    if (Object.hasOwn(fields, name)) return whole(name, fields[name], 0, 255)
    throw refused(name, undefined, `${action} takes r, g, b and w, each a whole number from 0 to 255`)
  })
  return { r: r ?? 0, g: g ?? 0, b: b ?? 0, w: w ?? 0 }
}

/** The field is `brightness`; `value` is what many ESP32 sketches call it. */
function brightness(fields: Fields): number {
  const name = !Object.hasOwn(fields, 'brightness') && Object.hasOwn(fields, 'value') ? 'value' : 'brightness'
  if (Object.hasOwn(fields, name)) return whole(name, fields[name], 0, 255)
  throw refused('brightness', undefined, 'set_brightness takes brightness, a whole number from 0 to 255')
}

function duration(fields: Fields): number | undefined {
  if (!Object.hasOwn(fields, 'duration_ms')) return undefined
  return whole('duration_ms', fields['duration_ms'], SHORTEST_MS, LONGEST_MS)
}

function gently(fields: Fields): Gently {
  if (!Object.hasOwn(fields, 'transition_ms')) return {}
  return { transitionMs: whole('transition_ms', fields['transition_ms'], 0, LONGEST_MS) }
}
