import { each, fromHueSaturation, hueSaturation, type Rgbw } from '../lights/colour.ts'
import { decoded, LightCommandError, refused } from '../lights/fields.ts'
import { kelvinOf, miredsOf } from '../lights/home-assistant.ts'
import type { LightState } from '../lights/light.ts'
import type { LightUpdate } from '../lights/update.ts'
import {
  type DialectMessage,
  defined,
  fromPercent,
  type LightDialect,
  percentOf,
  type ReadCommand,
  readHex,
  type Written,
} from './dialect.ts'
import { EffectNames } from './effects.ts'

/** Schemes of Tasmota. */
const SCHEMES = new EffectNames('Tasmota', [
  ['none', '0'],
  ['rainbow', '2'],
])

/** A light of Tasmota: commands on `cmnd/<topic>/…`, answers on `stat/<topic>/RESULT` and `stat/<topic>/POWER`, and
 *  its state on `tele/<topic>/STATE`.
 *  @param topic the device's topic, `%topic%` in Tasmota's full topic */
export function tasmotaLight(topic: string): LightDialect {
  const prefix = `cmnd/${topic}/`
  return {
    commandFilters: [`${prefix}+`],
    readCommand(from, payload) {
      if (!from.startsWith(prefix)) return undefined
      const text = decoded(payload, 'a command is text').trim()
      return readCommand(from.slice(prefix.length), text)
    },
    writeCommand: (update) => writeCommand(prefix, update),
    writeState: (state) => writeState(topic, state),
  }
}

/** How each command is read, by its name in capitals. */
const READERS: Readonly<Record<string, (text: string) => LightUpdate>> = {
  POWER: (text) => ({ on: powered(text) }),
  DIMMER: (text) => {
    const percent = whole('Dimmer', text, 0, 100)
    // 0 switches the light off and is not remembered.
    return percent === 0 ? { on: false } : { on: true, brightness: fromPercent(percent) }
  },
  COLOR: (text) => ({ on: true, colour: readColour(text), brightness: 255 }),
  HSBCOLOR: (text) => {
    const [h = '', s = '', b = '', ...more] = text.split(',')
    if (more.length > 0) throw refused('HSBColor', text, HSB)
    const colour = fromHueSaturation(whole('HSBColor', h, 0, 360, HSB), whole('HSBColor', s, 0, 100, HSB))
    return { on: true, colour, brightness: fromPercent(whole('HSBColor', b, 0, 100, HSB)) }
  },
  WHITE: (text) => ({
    on: true,
    colour: { r: 0, g: 0, b: 0, w: 255 },
    brightness: fromPercent(whole('White', text, 0, 100)),
  }),
  CT: (text) => ({ on: true, kelvin: kelvinOf(whole('CT', text, 153, 500)) }),
}

const HSB = 'it takes hue, saturation and brightness: 0 to 360, 0 to 100, 0 to 100'

function readCommand(name: string, text: string): ReadCommand | undefined {
  // The first light of a device answers to POWER and POWER1.
  const command = name.toUpperCase().replace(/^(POWER|DIMMER)1$/, '$1')
  if (command === 'SCHEME') return readScheme(text)
  if (command === 'STATE' || command === 'STATUS') return { asks: true, lost: [] }
  const read = Object.hasOwn(READERS, command) ? READERS[command] : undefined
  if (read === undefined) return { asks: false, lost: [`${name}: a light here has nothing like it`] }
  if (text === '') return { asks: true, lost: [] }
  return { update: read(text), asks: false, lost: [] }
}

function readScheme(text: string): ReadCommand {
  if (text === '') return { asks: true, lost: [] }
  const { effect, lost } = SCHEMES.read(text)
  return { ...(effect !== undefined && { update: { on: true, effect } }), asks: false, lost }
}

function powered(text: string): boolean | 'toggle' {
  const word = text.toUpperCase()
  if (['TOGGLE', '2'].includes(word)) return 'toggle'
  if (['ON', '1', 'TRUE'].includes(word)) return true
  if (['OFF', '0', 'FALSE'].includes(word)) return false
  throw refused('POWER', text, 'it takes ON, OFF or TOGGLE, or 1, 0 or 2')
}

/** Reads `r,g,b`, `r,g,b,w`, `#RRGGBB` or `#RRGGBBWW`; what is not named is dark. */
function readColour(text: string): Rgbw {
  if (!text.includes(',')) return readHex('Color', text)
  const channels = text.split(',')
  const expected = 'it takes r,g,b or r,g,b,w, each 0 to 255, or #RRGGBB or #RRGGBBWW'
  if (channels.length < 3 || channels.length > 4) throw refused('Color', text, expected)
  const [r = 0, g = 0, b = 0, w = 0] = channels.map((value) => whole('Color', value, 0, 255, expected))
  return { r, g, b, w }
}

function whole(field: string, text: string, lowest: number, highest: number, expected?: string): number {
  const value = Number(text)
  if (/^\s*\d+\s*$/.test(text) && value >= lowest && value <= highest) return value
  throw new LightCommandError(
    field,
    text,
    `${field} is ${JSON.stringify(text)}`,
    expected ?? `it takes a whole number from ${lowest} to ${highest}`,
  )
}

function writeCommand(prefix: string, update: LightUpdate): Written {
  const { on, colour, kelvin, brightness, turnMs, transitionMs, flashMs } = update
  const scheme = SCHEMES.write(update.effect)
  const said: [string, string | undefined][] = [
    // Once, for what comes next; half seconds, 40 of them at most.
    ['Speed2', transitionMs === undefined ? undefined : String(halfSeconds(transitionMs))],
    ['Color', colour === undefined ? undefined : written(colour, brightness ?? 255)],
    ['CT', kelvin === undefined ? undefined : String(miredsOf(kelvin))],
    ['Dimmer', brightness === undefined || colour !== undefined ? undefined : String(percentOf(brightness))],
    ['Scheme', scheme.name],
    ['POWER', on === undefined ? undefined : on === 'toggle' ? 'TOGGLE' : on ? 'ON' : 'OFF'],
  ]
  const messages = said.flatMap(([name, payload]): DialectMessage[] =>
    payload === undefined ? [] : [{ topic: `${prefix}${name}`, payload }],
  )
  const missing = (['r', 'g', 'b', 'w'] as const).filter(
    (channel) => colour !== undefined && colour[channel] === undefined,
  )
  return {
    messages,
    lost: [
      ...scheme.lost,
      ...(missing.length > 0
        ? [`${missing.join(', ')}: Tasmota's Color is whole; what is missing is 0`]
        : []),
      ...(transitionMs === undefined || halfSeconds(transitionMs) * 500 === transitionMs
        ? []
        : [`a transition of ${transitionMs} ms: Tasmota counts half seconds, up to 20 s`]),
      ...(turnMs === undefined ? [] : ['the speed of an effect: a scheme has its own']),
      ...(flashMs === undefined ? [] : ['flash: Tasmota has no such command']),
    ],
  }
}

function halfSeconds(ms: number): number {
  return Math.min(40, Math.round(ms / 500))
}

/** Tasmota's Color is what shines: the dimmer is in it. */
function written(colour: Partial<Rgbw>, brightness: number): string {
  const { r, g, b, w } = each({ r: 0, g: 0, b: 0, w: 0, ...colour }, (value) =>
    Math.round((value * brightness) / 255),
  )
  return [r, g, b, w].join(',')
}

function writeState(topic: string, state: LightState): Written {
  const { on, brightness, effect, color_temp_kelvin: kelvin, w } = state
  const scheme = SCHEMES.write(effect)
  const { h, s } = hueSaturation(state)
  const power = on ? 'ON' : 'OFF'
  const shines = each(state, (value) => (value * brightness) / 255)
  const most = Math.max(shines.r, shines.g, shines.b)
  const payload = JSON.stringify(
    defined<unknown>({
      POWER: power,
      Dimmer: percentOf(Math.max(most, shines.w)),
      Color: written(state, brightness),
      HSBColor: `${h},${s},${percentOf(most)}`,
      White: percentOf((w * brightness) / 255),
      CT: kelvin === undefined ? undefined : miredsOf(kelvin),
      Scheme: scheme.name === undefined ? undefined : Number(scheme.name),
    }),
  )
  const messages = [
    { topic: `stat/${topic}/RESULT`, payload },
    { topic: `stat/${topic}/POWER`, payload: power },
    { topic: `tele/${topic}/STATE`, payload },
  ]
  return { messages, lost: scheme.lost }
}
