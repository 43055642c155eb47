import { isFields, number, oneOf, parseFields, whole } from '../lights/fields.ts'
import { kelvinOf, miredsOf, readColour } from '../lights/home-assistant.ts'
import type { LightState } from '../lights/light.ts'
import type { LightUpdate } from '../lights/update.ts'
import { defined, type LightDialect, type ReadCommand, type Written } from './dialect.ts'
import { EffectNames } from './effects.ts'

/** Names that ESPHome's own effects have unless the firmware gives them others. */
const EFFECTS = new EffectNames('ESPHome', [
  ['none', 'None'],
  ['pulse', 'Pulse'],
  ['strobe', 'Strobe'],
  ['rainbow', 'Rainbow'],
  ['candle', 'Flicker'],
  ['color_wheel', 'Color Wipe'],
])

/** ESPHome's JSON light on `<prefix>/light/<name>/command` and `/state`.
 *  @param prefix the node's topic prefix
 *  @param name of the light, as in its topics */
export function esphomeLight(prefix: string, name: string): LightDialect {
  const command = `${prefix}/light/${name}/command`
  return {
    commandFilters: [command],
    readCommand: (topic, payload) => (topic === command ? readCommand(payload) : undefined),
    writeCommand: (update) => writeCommand(command, update),
    writeState: (state) => writeState(`${prefix}/light/${name}/state`, state),
  }
}

function readCommand(payload: Uint8Array | string): ReadCommand {
  const fields = parseFields(payload, '{"state":"ON"}')
  const has = (name: string): boolean => Object.hasOwn(fields, name)
  const lost: string[] = []
  const state = has('state') ? oneOf('state', fields['state'], ['ON', 'OFF', 'TOGGLE']) : undefined
  const effect = has('effect') ? EFFECTS.read(String(fields['effect'])) : undefined
  lost.push(...(effect?.lost ?? []))
  const { color } = fields
  if (isFields(color) && Object.hasOwn(color, 'c')) lost.push('color.c: there is one white diode, not two')
  const white = has('white_value') ? { w: whole('white_value', fields['white_value'], 0, 255) } : {}
  const colour = has('color') ? { ...readColour(color), ...white } : has('white_value') ? white : undefined
  return {
    update: defined<unknown>({
      on: state === undefined ? undefined : state === 'TOGGLE' ? 'toggle' : state === 'ON',
      colour,
      // A colour is stronger than a temperature beside it, as in ESPHome's RGB mode.
      kelvin:
        has('color_temp') && colour === undefined
          ? kelvinOf(number('color_temp', fields['color_temp'], 153, 500))
          : undefined,
      brightness: has('brightness') ? whole('brightness', fields['brightness'], 0, 255) : undefined,
      effect: effect?.effect,
      transitionMs: has('transition')
        ? Math.round(1000 * number('transition', fields['transition'], 0, 600))
        : undefined,
      flashMs: has('flash') ? Math.round(1000 * number('flash', fields['flash'], 0.1, 600)) : undefined,
    }) as LightUpdate,
    asks: false,
    lost,
  }
}

function writeCommand(topic: string, update: LightUpdate): Written {
  const { on, colour, kelvin, brightness, turnMs, transitionMs, flashMs } = update
  const { name, lost } = EFFECTS.write(update.effect)
  const payload = defined<unknown>({
    state: on === undefined ? undefined : on === 'toggle' ? 'TOGGLE' : on ? 'ON' : 'OFF',
    brightness,
    color: colour,
    color_temp: kelvin === undefined ? undefined : miredsOf(kelvin),
    effect: name,
    transition: transitionMs === undefined ? undefined : transitionMs / 1000,
    flash: flashMs === undefined ? undefined : flashMs / 1000,
  })
  const messages = Object.keys(payload).length === 0 ? [] : [{ topic, payload: JSON.stringify(payload) }]
  const speed = turnMs === undefined ? [] : ['the speed of an effect: ESPHome has it in the firmware']
  return { messages, lost: [...lost, ...speed] }
}

function writeState(topic: string, state: LightState): Written {
  const { on, r, g, b, w, brightness, effect, color_temp_kelvin: kelvin } = state
  const { name, lost } = EFFECTS.write(effect)
  const payload = defined<unknown>({
    state: on ? 'ON' : 'OFF',
    color_mode: kelvin === undefined ? 'rgbw' : 'color_temp',
    brightness,
    color: kelvin === undefined ? { r, g, b, w } : undefined,
    color_temp: kelvin === undefined ? undefined : miredsOf(kelvin),
    effect: name,
  })
  return { messages: [{ topic, payload: JSON.stringify(payload) }], lost }
}
