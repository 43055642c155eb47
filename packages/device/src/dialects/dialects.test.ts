import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHueSaturation } from '../lights/colour.ts'
import { LightCommandError } from '../lights/fields.ts'
import { Light } from '../lights/light.ts'
import type { LightUpdate } from '../lights/update.ts'
import type { LightDialect } from './dialect.ts'
import { esphomeLight } from './esphome.ts'
import { tasmotaLight } from './tasmota.ts'
import { zigbee2mqttLight } from './zigbee2mqtt.ts'

const tasmota = tasmotaLight('lamp')
const esphome = esphomeLight('node', 'lamp')
const zigbee = zigbee2mqttLight('kitchen/lamp')

type Row = readonly [
  dialect: string,
  topic: string,
  payload: string,
  update: LightUpdate | 'asks' | 'nothing',
  lost?: readonly RegExp[],
]

const DIALECTS: Readonly<Record<string, LightDialect>> = { tasmota, esphome, zigbee }

const SET = 'zigbee2mqtt/kitchen/lamp/set'
const COMMAND = 'node/light/lamp/command'

const read: readonly Row[] = [
  ['tasmota', 'cmnd/lamp/POWER', 'ON', { on: true }],
  ['tasmota', 'cmnd/lamp/power1', '0', { on: false }],
  ['tasmota', 'cmnd/lamp/Power', 'toggle', { on: 'toggle' }],
  ['tasmota', 'cmnd/lamp/POWER', '', 'asks'],
  ['tasmota', 'cmnd/lamp/Dimmer', '50', { on: true, brightness: 128 }],
  ['tasmota', 'cmnd/lamp/Dimmer', '0', { on: false }],
  [
    'tasmota',
    'cmnd/lamp/Color',
    '255,128,0',
    { on: true, colour: { r: 255, g: 128, b: 0, w: 0 }, brightness: 255 },
  ],
  [
    'tasmota',
    'cmnd/lamp/Color',
    '1,2,3,4',
    { on: true, colour: { r: 1, g: 2, b: 3, w: 4 }, brightness: 255 },
  ],
  [
    'tasmota',
    'cmnd/lamp/Color',
    '#FF8000',
    { on: true, colour: { r: 255, g: 128, b: 0, w: 0 }, brightness: 255 },
  ],
  [
    'tasmota',
    'cmnd/lamp/Color',
    'ff800010',
    { on: true, colour: { r: 255, g: 128, b: 0, w: 16 }, brightness: 255 },
  ],
  [
    'tasmota',
    'cmnd/lamp/HSBColor',
    '120,100,50',
    { on: true, colour: fromHueSaturation(120, 100), brightness: 128 },
  ],
  ['tasmota', 'cmnd/lamp/White', '100', { on: true, colour: { r: 0, g: 0, b: 0, w: 255 }, brightness: 255 }],
  ['tasmota', 'cmnd/lamp/CT', '370', { on: true, kelvin: 2703 }],
  ['tasmota', 'cmnd/lamp/Scheme', '2', { on: true, effect: 'rainbow' }],
  ['tasmota', 'cmnd/lamp/Scheme', '1', 'nothing', [/^effect "1": there is none like it/]],
  ['tasmota', 'cmnd/lamp/STATE', '', 'asks'],
  ['tasmota', 'cmnd/lamp/TelePeriod', '10', 'nothing', [/^TelePeriod: a light here has nothing like it/]],
  ['esphome', COMMAND, '{"state":"ON","brightness":9}', { on: true, brightness: 9 }],
  ['esphome', COMMAND, '{"state":"TOGGLE"}', { on: 'toggle' }],
  [
    'esphome',
    COMMAND,
    '{"color":{"r":1,"g":2,"b":3,"w":4},"transition":1.5}',
    { colour: { r: 1, g: 2, b: 3, w: 4 }, transitionMs: 1500 },
  ],
  ['esphome', COMMAND, '{"white_value":80}', { colour: { w: 80 } }],
  [
    'esphome',
    COMMAND,
    '{"color":{"r":1,"g":2,"b":3,"c":9}}',
    { colour: { r: 1, g: 2, b: 3, w: 0 } },
    [/^color.c: there is one white diode/],
  ],
  ['esphome', COMMAND, '{"color_temp":250,"flash":2}', { kelvin: 4000, flashMs: 2000 }],
  ['esphome', COMMAND, '{"effect":"Flicker"}', { effect: 'candle' }],
  [
    'esphome',
    COMMAND,
    '{"state":"ON","effect":"Disco"}',
    { on: true },
    [/^effect "Disco": there is none like it/],
  ],
  ['zigbee', SET, '{"state":"on"}', { on: true }],
  ['zigbee', SET, '{"state":"TOGGLE","transition":2}', { on: 'toggle', transitionMs: 2000 }],
  ['zigbee', SET, '{"brightness":254}', { on: true, brightness: 255 }],
  ['zigbee', SET, '{"brightness":0}', { on: false }],
  ['zigbee', SET, '{"color":{"r":1,"g":2,"b":3}}', { colour: { r: 1, g: 2, b: 3, w: 0 } }],
  ['zigbee', SET, '{"color":{"hue":120,"saturation":100}}', { colour: fromHueSaturation(120, 100) }],
  ['zigbee', SET, '{"color":{"x":0.64,"y":0.33}}', { colour: { r: 255, g: 4, b: 2, w: 0 } }],
  ['zigbee', SET, '{"color":{"hex":"#010203"}}', { colour: { r: 1, g: 2, b: 3, w: 0 } }],
  ['zigbee', SET, '{"color_temp":"warm"}', { kelvin: 2203 }],
  ['zigbee', SET, '{"effect":"colorloop"}', { effect: 'rainbow' }],
  [
    'zigbee',
    SET,
    '{"effect":"okay","brightness_move":5}',
    {},
    [/^effect "okay"/, /^brightness_move: a light here has nothing like it/],
  ],
  ['zigbee', 'zigbee2mqtt/kitchen/lamp/get', '{"state":""}', 'asks'],
]

describe.each(
  read.map(([name, topic, payload, wanted, lost = []]) => ({ name, topic, payload, wanted, lost })),
)('$name reads $topic $payload', ({ name, topic, payload, wanted, lost }) => {
  test('as ours', () => {
    const command = DIALECTS[name]?.readCommand(topic, new TextEncoder().encode(payload))
    expect(command?.asks).toBe(wanted === 'asks')
    expect(command?.update).toEqual(typeof wanted === 'string' ? undefined : wanted)
    expect(command?.lost).toEqual(lost.map((pattern) => expect.stringMatching(pattern)))
  })
})

const refusals: readonly (readonly [
  dialect: string,
  topic: string,
  payload: string,
  field: string | undefined,
])[] = [
  ['tasmota', 'cmnd/lamp/POWER', 'maybe', 'POWER'],
  ['tasmota', 'cmnd/lamp/Dimmer', '101', 'Dimmer'],
  ['tasmota', 'cmnd/lamp/Color', '1,2', 'Color'],
  ['tasmota', 'cmnd/lamp/Color', '1,2,300', 'Color'],
  ['tasmota', 'cmnd/lamp/Color', '#12345', 'Color'],
  ['tasmota', 'cmnd/lamp/HSBColor', '361,0,0', 'HSBColor'],
  ['tasmota', 'cmnd/lamp/HSBColor', '1,2', 'HSBColor'],
  ['tasmota', 'cmnd/lamp/CT', '100', 'CT'],
  ['esphome', COMMAND, 'ON', undefined],
  ['esphome', COMMAND, '{"state":"Maybe"}', 'state'],
  ['esphome', COMMAND, '{"color_temp":2700}', 'color_temp'],
  ['zigbee', SET, '{"brightness":255}', 'brightness'],
  ['zigbee', SET, '{"color":"red"}', 'color'],
  ['zigbee', SET, '{"color":{"hex":"red"}}', 'color.hex'],
  ['zigbee', SET, '{"color_temp":"hot"}', 'color_temp'],
]

test.each(refusals)('%s refuses %s %s', (name, topic, payload, field) => {
  expect(() => DIALECTS[name]?.readCommand(topic, payload)).toThrow(
    expect.objectContaining({ code: 'COMMAND_REFUSED', field }),
  )
})

type Said = readonly (readonly [topic: string, payload: string])[]

const written: readonly (readonly [
  dialect: string,
  update: LightUpdate,
  said: Said,
  lost?: readonly RegExp[],
])[] = [
  ['tasmota', { on: true }, [['cmnd/lamp/POWER', 'ON']]],
  ['tasmota', { on: 'toggle' }, [['cmnd/lamp/POWER', 'TOGGLE']]],
  ['tasmota', { brightness: 128 }, [['cmnd/lamp/Dimmer', '50']]],
  [
    'tasmota',
    { on: true, colour: { r: 255, g: 100, b: 0, w: 20 }, brightness: 51, transitionMs: 1000 },
    [
      ['cmnd/lamp/Speed2', '2'],
      ['cmnd/lamp/Color', '51,20,0,4'],
      ['cmnd/lamp/POWER', 'ON'],
    ],
  ],
  ['tasmota', { colour: { r: 9 } }, [['cmnd/lamp/Color', '9,0,0,0']], [/^g, b, w: Tasmota's Color is whole/]],
  ['tasmota', { kelvin: 2703 }, [['cmnd/lamp/CT', '370']]],
  ['tasmota', { effect: 'rainbow', turnMs: 900 }, [['cmnd/lamp/Scheme', '2']], [/^the speed of an effect/]],
  ['tasmota', { effect: 'candle', flashMs: 100 }, [], [/^effect candle: Tasmota has none/, /^flash/]],
  [
    'tasmota',
    { on: false, transitionMs: 700 },
    [
      ['cmnd/lamp/Speed2', '1'],
      ['cmnd/lamp/POWER', 'OFF'],
    ],
    [/^a transition of 700 ms/],
  ],
  [
    'esphome',
    { on: true, brightness: 9, transitionMs: 1500 },
    [[COMMAND, '{"state":"ON","brightness":9,"transition":1.5}']],
  ],
  ['esphome', { colour: { g: 7 } }, [[COMMAND, '{"color":{"g":7}}']]],
  ['esphome', { kelvin: 4000, flashMs: 2000 }, [[COMMAND, '{"color_temp":250,"flash":2}']]],
  [
    'esphome',
    { effect: 'candle', turnMs: 900 },
    [[COMMAND, '{"effect":"Flicker"}']],
    [/^the speed of an effect/],
  ],
  ['esphome', { effect: 'blink' }, [], [/^effect blink: ESPHome has none/]],
  ['zigbee', { on: false, transitionMs: 500 }, [[SET, '{"state":"OFF","transition":0.5}']]],
  ['zigbee', { brightness: 255 }, [[SET, '{"brightness":254}']]],
  ['zigbee', { colour: { r: 1, g: 2, b: 3, w: 0 } }, [[SET, '{"color":{"r":1,"g":2,"b":3}}']]],
  [
    'zigbee',
    { colour: { r: 1, w: 10 } },
    [[SET, '{"color":{"r":11,"g":10,"b":10}}']],
    [/^g, b: a Zigbee color is whole/, /^w: Zigbee2MQTT has no white/],
  ],
  ['zigbee', { effect: 'none' }, [[SET, '{"effect":"stop_effect"}']]],
  ['zigbee', { effect: 'pulse', flashMs: 1000, turnMs: 100 }, [], [/^effect pulse/, /^the speed/, /^flash/]],
]

describe.each(written.map(([name, update, said, lost = []]) => ({ name, update, said, lost })))(
  '$name writes $update',
  ({ name, update, said, lost }) => {
    test('as theirs', () => {
      const { messages, lost: told } = DIALECTS[name]?.writeCommand(update) ?? { messages: [], lost: [] }
      expect(messages.map(({ topic, payload }) => [topic, payload])).toEqual(said)
      expect(told).toEqual(lost.map((pattern) => expect.stringMatching(pattern)))
    })
  },
)

test.each(Object.entries(DIALECTS))('%s leaves topics of others alone', (_, dialect) => {
  expect(dialect.readCommand('other/lamp', 'ON')).toBeUndefined()
  expect(dialect.commandFilters.length).toBeGreaterThan(0)
})

const byte = fc.integer({ min: 0, max: 255 })
const update: fc.Arbitrary<LightUpdate> = fc.oneof(
  fc.record({ on: fc.boolean() }),
  fc.record({ colour: fc.record({ r: byte, g: byte, b: byte, w: byte }), on: fc.constant(true) }),
  fc.record({ kelvin: fc.integer({ min: 2000, max: 6535 }), on: fc.constant(true) }),
)

test.each(Object.entries(DIALECTS))(
  '%s: what is written without loss reads as the same light',
  (_, dialect) => {
    fc.assert(
      fc.property(update, (given) => {
        const { messages, lost } = dialect.writeCommand(given)
        fc.pre(lost.length === 0)
        const one = new Light()
        const other = new Light()
        one.update(given, 0)
        for (const { topic, payload } of messages)
          other.update(dialect.readCommand(topic, payload)?.update ?? {}, 0)
        const [a, b] = [one.colourAt(0), other.colourAt(0)]
        // A mired holds up to 43 kelvin: near a channel's dark end that is a few steps.
        const near = given.kelvin === undefined ? 0 : 8
        for (const channel of ['r', 'g', 'b', 'w'] as const) {
          expect(Math.abs(a[channel] - b[channel])).toBeLessThanOrEqual(near)
        }
      }),
    )
  },
)

test('writeState() says what the light is, each in its own words', () => {
  const light = new Light()
  light.update({ on: true, colour: { r: 255, g: 0, b: 0, w: 0 }, brightness: 128, effect: 'rainbow' }, 0)
  const said = (dialect: LightDialect) => {
    const { messages, lost } = dialect.writeState(light.state)
    return {
      topics: messages.map(({ topic }) => topic),
      payload: JSON.parse(messages[0]?.payload ?? '') as unknown,
      lost,
    }
  }
  expect(said(tasmota)).toEqual({
    topics: ['stat/lamp/RESULT', 'stat/lamp/POWER', 'tele/lamp/STATE'],
    payload: { POWER: 'ON', Dimmer: 50, Color: '128,0,0,0', HSBColor: '0,100,50', White: 0, Scheme: 2 },
    lost: [],
  })
  expect(said(esphome)).toEqual({
    topics: ['node/light/lamp/state'],
    payload: {
      state: 'ON',
      color_mode: 'rgbw',
      brightness: 128,
      color: { r: 255, g: 0, b: 0, w: 0 },
      effect: 'Rainbow',
    },
    lost: [],
  })
  expect(said(zigbee)).toEqual({
    topics: ['zigbee2mqtt/kitchen/lamp'],
    payload: { state: 'ON', brightness: 127, color_mode: 'xy', color: { r: 255, g: 0, b: 0 } },
    lost: [expect.stringMatching(/^effect rainbow: a Zigbee light does not say/)],
  })
})

test('a dialect never throws anything but LightCommandError', () => {
  const topics = [
    'cmnd/lamp/Color',
    'cmnd/lamp/HSBColor',
    'cmnd/lamp/__proto__',
    'cmnd/lamp/constructor',
    SET,
    COMMAND,
  ]
  fc.assert(
    fc.property(fc.constantFrom(...topics), fc.oneof(fc.string(), fc.json()), (topic, payload) => {
      for (const dialect of Object.values(DIALECTS)) {
        try {
          dialect.readCommand(topic, payload)
        } catch (error) {
          if (!(error instanceof LightCommandError)) throw error
        }
      }
    }),
  )
})
