import { fromHueSaturation, onScreen, type Rgbw } from '../lights/colour.ts'
import { type Fields, isFields, number, oneOf, parseFields, whole } from '../lights/fields.ts'
import { kelvinOf, miredsOf, readColour } from '../lights/home-assistant.ts'
import type { LightState } from '../lights/light.ts'
import type { LightUpdate } from '../lights/update.ts'
import { defined, type LightDialect, type ReadCommand, readHex, type Written } from './dialect.ts'
import { EffectNames } from './effects.ts'

const EFFECTS = new EffectNames('Zigbee2MQTT', [
  ['none', 'stop_effect'],
  ['none', 'finish_effect'],
  ['none', 'stop_colorloop'],
  ['blink', 'blink'],
  ['fade', 'breathe'],
  ['rainbow', 'colorloop'],
])

/** Zigbee's brightness goes to 254. */
const FULL = 254

const KNOWN = ['state', 'brightness', 'color', 'color_temp', 'effect', 'transition']

/** A light of Zigbee2MQTT: `<base>/<friendly name>/set`, `/get` and the state on `<base>/<friendly name>`.
 *  @param base default `zigbee2mqtt` */
export function zigbee2mqttLight(friendlyName: string, base = 'zigbee2mqtt'): LightDialect {
  const topic = `${base}/${friendlyName}`
  return {
    commandFilters: [`${topic}/set`, `${topic}/get`],
    readCommand(from, payload) {
      if (from === `${topic}/get`) return { asks: true, lost: [] }
      return from === `${topic}/set` ? readCommand(payload) : undefined
    },
    writeCommand: (update) => writeCommand(`${topic}/set`, update),
    writeState: (state) => writeState(topic, state),
  }
}

function readCommand(payload: Uint8Array | string): ReadCommand {
  const fields = parseFields(payload, '{"state":"ON"}')
  const has = (name: string): boolean => Object.hasOwn(fields, name)
  const state = has('state') ? oneOf('state', upper(fields['state']), ['ON', 'OFF', 'TOGGLE']) : undefined
  const level = has('brightness') ? number('brightness', fields['brightness'], 0, FULL) : undefined
  const effect = has('effect') ? EFFECTS.read(String(fields['effect'])) : undefined
  const others = Object.keys(fields).filter((name) => !KNOWN.includes(name))
  return {
    update: defined<unknown>({
      // A brightness switches a Zigbee light: on above 0, off at 0.
      on:
        state === undefined
          ? level === undefined
            ? undefined
            : level > 0
          : state === 'TOGGLE'
            ? 'toggle'
            : state === 'ON',
      colour: has('color') ? readTheirs(fields['color']) : undefined,
      kelvin: has('color_temp') && !has('color') ? temperature(fields['color_temp']) : undefined,
      brightness: level === undefined || level === 0 ? undefined : Math.round((level * 255) / FULL),
      effect: effect?.effect,
      transitionMs: has('transition')
        ? Math.round(1000 * number('transition', fields['transition'], 0, 600))
        : undefined,
    }) as LightUpdate,
    asks: false,
    lost: [...(effect?.lost ?? []), ...others.map((name) => `${name}: a light here has nothing like it`)],
  }
}

function upper(value: unknown): unknown {
  return typeof value === 'string' ? value.toUpperCase() : value
}

const NAMED: ReadonlyMap<unknown, number> = new Map([
  ['coolest', 153],
  ['cool', 250],
  ['neutral', 370],
  ['warm', 454],
  ['warmest', 500],
])

function temperature(value: unknown): number {
  return kelvinOf(NAMED.get(value) ?? whole('color_temp', value, 153, 500))
}

/** Reads `{r, g, b}`, `{x, y}`, `{hue, saturation}`, `{h, s}` or `{hex}`. */
function readTheirs(value: unknown): Partial<Rgbw> {
  if (!isFields(value)) return readColour(value)
  const { hue: h, saturation: s, hex } = value
  if (h !== undefined && s !== undefined) {
    return fromHueSaturation(number('color.hue', h, 0, 360), number('color.saturation', s, 0, 100))
  }
  return hex === undefined ? readColour(value) : readHex('color.hex', hex)
}

function writeCommand(topic: string, update: LightUpdate): Written {
  const { on, colour, kelvin, brightness, turnMs, transitionMs, flashMs } = update
  const { name, lost } = EFFECTS.write(update.effect)
  const payload: Fields = defined<unknown>({
    state: on === undefined ? undefined : on === 'toggle' ? 'TOGGLE' : on ? 'ON' : 'OFF',
    brightness: brightness === undefined ? undefined : levelOf(brightness),
    color: colour === undefined ? undefined : onScreen({ r: 0, g: 0, b: 0, w: 0, ...colour }),
    color_temp: kelvin === undefined ? undefined : miredsOf(kelvin),
    effect: name,
    transition: transitionMs === undefined ? undefined : transitionMs / 1000,
  })
  const all = [
    ...lost,
    ...(colour === undefined ? [] : colourLost(colour)),
    ...(turnMs === undefined ? [] : ['the speed of an effect: Zigbee lights have their own']),
    ...(flashMs === undefined
      ? []
      : ['flash: Zigbee2MQTT has only the effect blink, which lasts as the light likes']),
  ]
  return {
    messages: Object.keys(payload).length === 0 ? [] : [{ topic, payload: JSON.stringify(payload) }],
    lost: all,
  }
}

function colourLost(colour: Partial<Rgbw>): string[] {
  const missing = (['r', 'g', 'b'] as const).filter((channel) => colour[channel] === undefined)
  return [
    ...(missing.length > 0 ? [`${missing.join(', ')}: a Zigbee color is whole; what is missing is 0`] : []),
    ...((colour.w ?? 0) > 0 ? ['w: Zigbee2MQTT has no white channel; it is added to r, g and b'] : []),
  ]
}

function levelOf(brightness: number): number {
  return Math.round((brightness * FULL) / 255)
}

function writeState(topic: string, state: LightState): Written {
  const { on, brightness, effect, color_temp_kelvin: kelvin, w } = state
  const { r, g, b } = onScreen(state)
  const payload = defined<unknown>({
    state: on ? 'ON' : 'OFF',
    brightness: levelOf(brightness),
    color_mode: kelvin === undefined ? 'xy' : 'color_temp',
    color: kelvin === undefined ? { r, g, b } : undefined,
    color_temp: kelvin === undefined ? undefined : miredsOf(kelvin),
  })
  const lost = [
    ...(kelvin === undefined && w > 0
      ? ['w: Zigbee2MQTT has no white channel; it is added to r, g and b']
      : []),
    ...(effect === 'none' ? [] : [`effect ${effect}: a Zigbee light does not say what it runs`]),
  ]
  return { messages: [{ topic, payload: JSON.stringify(payload) }], lost }
}
