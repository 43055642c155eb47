import { expect, test } from 'vitest'
import { LightCommandError, parseLightCommand } from './commands.ts'

const range = 'it takes a whole number from 0 to 255'
const object = 'a command is an object such as {"action":"set_color","r":255,"g":0,"b":0,"w":0}'
const all = 'takes r, g, b and w, each a whole number from 0 to 255'
const actions = 'it takes set_color, on, off, set_brightness, blink, fade or rainbow'

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

function caught(work: () => unknown): LightCommandError {
  try {
    work()
  } catch (error) {
    if (error instanceof LightCommandError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
