import { expect, test } from 'vitest'
import { commandOf, parseLightCommand, updateOf } from './commands.ts'
import { LightCommandError } from './fields.ts'

const range = 'it takes a whole number from 0 to 255'
const object = 'a command is an object such as {"action":"set_color","r":255,"g":0,"b":0,"w":0}'
const all = 'takes r, g, b and w, each a whole number from 0 to 255'
const actions = 'it takes set_color, on, off, toggle, set_brightness, blink, fade, rainbow, effect or update'

const good: [string, object][] = [
  ['{"action":"set_color","r":255,"g":0,"b":0,"w":0}', { action: 'set_color', r: 255, g: 0, b: 0, w: 0 }],
  [
    ' {"w":1.0,"b":2,"g":3e1,"r":-0,"action":"set_color","id":7}\n',
    { action: 'set_color', r: 0, g: 30, b: 2, w: 1 },
  ],
  ['{"action":"on"}', { action: 'on' }],
  ['{"action":"off"}', { action: 'off' }],
  ['{"action":"set_brightness","brightness":0}', { action: 'set_brightness', brightness: 0 }],
  ['{"action":"set_brightness","value":128}', { action: 'set_brightness', brightness: 128 }],
  ['{"action":"blink"}', { action: 'blink', durationMs: 1000 }],
  ['{"action":"blink","duration_ms":100}', { action: 'blink', durationMs: 100 }],
  ['{"action":"fade"}', { action: 'fade', to: undefined, durationMs: 3000 }],
  [
    '{"action":"fade","r":1,"g":2,"b":3,"w":4}',
    { action: 'fade', to: { r: 1, g: 2, b: 3, w: 4 }, durationMs: 1000 },
  ],
  ['{"action":"rainbow","duration_ms":600000}', { action: 'rainbow', durationMs: 600000 }],
  ['{"action":"toggle"}', { action: 'toggle' }],
  ['{"action":"off","transition_ms":2000}', { action: 'off', transitionMs: 2000 }],
  ['{"action":"effect","effect":"candle"}', { action: 'effect', effect: 'candle' }],
  ['{"action":"effect","effect":"none"}', { action: 'effect', effect: 'none' }],
  ['{"action":"update","brightness":9}', { action: 'update', update: { brightness: 9 } }],
  [
    '{"action":"update","on":true,"g":7,"effect":"pulse","duration_ms":500,"transition_ms":0,"flash_ms":100}',
    {
      action: 'update',
      update: { on: true, colour: { g: 7 }, effect: 'pulse', turnMs: 500, transitionMs: 0, flashMs: 100 },
    },
  ],
  ['{"action":"update","color_temp_kelvin":2700}', { action: 'update', update: { kelvin: 2700 } }],
]

test.each(good)('parseLightCommand() reads %s', (text, command) => {
  expect(parseLightCommand(text)).toEqual(command)
  expect(parseLightCommand(new TextEncoder().encode(text))).toEqual(command)
})

const bad: [string, string | undefined, string][] = [
  ['', undefined, `the command is empty; ${object}`],
  ['red', undefined, `the command is not JSON: "red"; ${object}`],
  ['{"action":"on"', undefined, `the command is not JSON: "{\\"action\\":\\"on\\""; ${object}`],
  ['null', undefined, `the command is null; ${object}`],
  ['[1]', undefined, `the command is [1]; ${object}`],
  ['"on"', undefined, `the command is "on"; ${object}`],
  ['{}', 'action', `action is missing; ${actions}`],
  ['{"action":"sparkle"}', 'action', `action is "sparkle"; ${actions}`],
  ['{"action":"constructor"}', 'action', `action is "constructor"; ${actions}`],
  ['{"action":null}', 'action', `action is null; ${actions}`],
  ['{"action":["on"]}', 'action', `action is ["on"]; ${actions}`],
  ['{"action":"set_color","r":300,"g":0,"b":0,"w":0}', 'r', `r is 300; ${range}`],
  ['{"action":"set_color","r":0,"g":-1,"b":0,"w":0}', 'g', `g is -1; ${range}`],
  ['{"action":"set_color","r":0,"g":0,"b":1.5,"w":0}', 'b', `b is 1.5; ${range}`],
  ['{"action":"set_color","r":0,"g":0,"b":0,"w":"255"}', 'w', `w is "255"; ${range}`],
  ['{"action":"set_color","r":0,"g":0,"b":0,"w":null}', 'w', `w is null; ${range}`],
  ['{"action":"set_color","r":1e999,"g":0,"b":0,"w":0}', 'r', `r is Infinity; ${range}`],
  ['{"action":"set_color","r":255,"g":0,"b":0}', 'w', `w is missing; set_color ${all}`],
  ['{"action":"set_color"}', 'r', `r is missing; set_color ${all}`],
  ['{"action":"fade","r":1}', 'g', `g is missing; fade ${all}`],
  [
    '{"action":"set_brightness"}',
    'brightness',
    `brightness is missing; set_brightness takes brightness, a whole number from 0 to 255`,
  ],
  ['{"action":"set_brightness","brightness":256}', 'brightness', `brightness is 256; ${range}`],
  ['{"action":"set_brightness","value":true}', 'value', `value is true; ${range}`],
  [
    '{"action":"blink","duration_ms":99}',
    'duration_ms',
    'duration_ms is 99; it takes a whole number from 100 to 600000',
  ],
  [
    '{"action":"update"}',
    undefined,
    'nothing is to change; update takes at least one of on, r, g, b, w, brightness, color_temp_kelvin, effect and flash_ms',
  ],
  ['{"action":"update","on":"yes"}', 'on', 'on is "yes"; it takes true, false or "toggle"'],
  [
    '{"action":"update","r":1,"color_temp_kelvin":2700}',
    'color_temp_kelvin',
    'color_temp_kelvin is 2700; it does not go with r, g, b and w',
  ],
  [
    '{"action":"update","color_temp_kelvin":1999}',
    'color_temp_kelvin',
    'color_temp_kelvin is 1999; it takes a whole number from 2000 to 6535',
  ],
  [
    '{"action":"effect","effect":"sparkle"}',
    'effect',
    'effect is "sparkle"; it takes blink, fade, rainbow, pulse, strobe, candle, color_wheel or none',
  ],
  [
    '{"action":"on","transition_ms":-1}',
    'transition_ms',
    'transition_ms is -1; it takes a whole number from 0 to 600000',
  ],
  ['{"__proto__":{"action":"on"}}', 'action', `action is missing; ${actions}`],
]

test.each(bad)('parseLightCommand() refuses %j', (text, field, message) => {
  const refused = caught(() => parseLightCommand(text))
  expect(refused.message).toBe(message)
  expect(refused.field).toBe(field)
  expect(refused.code).toBe('COMMAND_REFUSED')
})

test('parseLightCommand() refuses bytes that are not UTF-8', () => {
  const refused = caught(() => parseLightCommand(Uint8Array.of(0x22, 0xff, 0x22)))
  expect(refused.message).toBe(`the command is not UTF-8 text; ${object}`)
})

test('parseLightCommand() shortens a long value in its message', () => {
  const refused = caught(() => parseLightCommand(JSON.stringify({ action: 'x'.repeat(500) })))
  expect(refused.message.length).toBeLessThan(200)
})

test('commandOf() writes what parseLightCommand() and updateOf() read', () => {
  const updates = [
    { on: true, colour: { r: 1, w: 4 }, transitionMs: 300 },
    { on: 'toggle' as const },
    { kelvin: 3000, brightness: 12 },
    { effect: 'strobe' as const, turnMs: 200, flashMs: 2000 },
  ]
  for (const update of updates) {
    expect(updateOf(parseLightCommand(JSON.stringify(commandOf(update))))).toEqual(update)
  }
})

function caught(work: () => unknown): LightCommandError {
  try {
    work()
  } catch (error) {
    if (error instanceof LightCommandError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
