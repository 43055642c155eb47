import { expect, test } from 'vitest'
import { LightCommandError } from './fields.ts'
import { homeAssistantState, kelvinOf, miredsOf, parseHomeAssistantCommand } from './home-assistant.ts'
import { Light } from './light.ts'

const good: [string, object][] = [
  ['{"state":"ON"}', { on: true }],
  ['{"state":"OFF","transition":2.5}', { on: false, transitionMs: 2500 }],
  ['{"state":"TOGGLE"}', { on: 'toggle' }],
  ['{"brightness":12}', { brightness: 12 }],
  ['{"state":"ON","color":{"r":1,"g":2,"b":3,"w":4}}', { on: true, colour: { r: 1, g: 2, b: 3, w: 4 } }],
  ['{"color":{"r":1,"g":2,"b":3}}', { colour: { r: 1, g: 2, b: 3, w: 0 } }],
  ['{"color":{"g":2}}', { colour: { g: 2 } }],
  ['{"color":{"h":120,"s":100}}', { colour: { r: 0, g: 255, b: 0, w: 0 } }],
  ['{"color":{"x":0.64,"y":0.33}}', { colour: { r: 255, g: 4, b: 2, w: 0 } }],
  ['{"color_temp":370}', { kelvin: 2703 }],
  ['{"color_temp":2700}', { kelvin: 2700 }],
  ['{"color_temp_kelvin":4000}', { kelvin: 4000 }],
  ['{"white":99}', { colour: { r: 0, g: 0, b: 0, w: 99 } }],
  ['{"effect":"rainbow"}', { effect: 'rainbow' }],
  ['{"effect":"none"}', { effect: 'none' }],
  ['{"state":"ON","flash":2}', { on: true, flashMs: 2000 }],
  ['{"flash":"long"}', { flashMs: 10_000 }],
  ['{"state":"ON","color_mode":"rgb","other":[1]}', { on: true }],
]

test.each(good)('parseHomeAssistantCommand() reads %s', (text, update) => {
  expect(parseHomeAssistantCommand(text)).toEqual(update)
  expect(parseHomeAssistantCommand(new TextEncoder().encode(text))).toEqual(update)
})

const bad: [string, string | undefined, RegExp][] = [
  ['ON', undefined, /^the command is not JSON: "ON"; a command is an object such as/],
  ['{}', undefined, /^nothing is to change; it takes at least one of state, brightness,/],
  ['{"transition":1}', undefined, /^nothing is to change/],
  ['{"state":"on"}', 'state', /^state is "on"; it takes ON, OFF or TOGGLE$/],
  ['{"state":null}', 'state', /^state is null/],
  ['{"brightness":256}', 'brightness', /^brightness is 256; it takes a whole number from 0 to 255$/],
  ['{"color":"red"}', 'color', /^color is "red"; it takes an object with r, g, b and w, with h and s, or/],
  ['{"color":{}}', 'color', /^color is {}/],
  ['{"color":{"r":300}}', 'color.r', /^color.r is 300/],
  ['{"color":{"h":361,"s":1}}', 'color.h', /^color.h is 361; it takes a number from 0 to 360$/],
  ['{"color":{"x":0.1,"y":"0.2"}}', 'color.y', /^color.y is "0.2"/],
  ['{"color_temp":100}', 'color_temp', /^color_temp is 100; it takes a whole number from 153 to 500$/],
  ['{"color_temp":7000}', 'color_temp', /^color_temp is 7000; it takes a whole number from 2000 to 6535$/],
  ['{"color":{"r":1},"color_temp":200}', 'color_temp', /^color_temp is 200; it does not go with color$/],
  ['{"effect":"disco"}', 'effect', /^effect is "disco"; it takes blink,/],
  ['{"flash":0}', 'flash', /^flash is 0; it takes short, long or a number of seconds/],
  ['{"state":"ON","transition":"1"}', 'transition', /^transition is "1"; it takes a number from 0 to 600$/],
]

test.each(bad)('parseHomeAssistantCommand() refuses %s', (text, field, message) => {
  const refused = caught(() => parseHomeAssistantCommand(text))
  expect(refused.message).toMatch(message)
  expect(refused.field).toBe(field)
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

test('homeAssistantState() says a colour or a temperature, never both', () => {
  const light = new Light()
  light.update({ colour: { r: 1, g: 2, b: 3, w: 4 }, brightness: 77 }, 0)
  expect(homeAssistantState(light.state)).toEqual({
    state: 'ON',
    brightness: 77,
    color_mode: 'rgbw',
    color: { r: 1, g: 2, b: 3, w: 4 },
    effect: 'none',
  })
  light.update({ on: false, kelvin: 2700 }, 0)
  expect(homeAssistantState(light.state)).toEqual({
    state: 'OFF',
    brightness: 77,
    color_mode: 'color_temp',
    color_temp: 370,
    effect: 'none',
  })
})

test('what homeAssistantState() says sets another light alike', () => {
  const one = new Light()
  const other = new Light()
  for (const update of [
    { kelvin: 3000, brightness: 9 },
    { colour: { b: 200 } },
    { effect: 'pulse' as const },
  ]) {
    one.update(update, 0)
    other.update(parseHomeAssistantCommand(JSON.stringify(homeAssistantState(one.state))), 0)
    expect(homeAssistantState(other.state)).toEqual(homeAssistantState(one.state))
  }
})

test('every whole mired has a kelvin that gives it back', () => {
  for (let mireds = 153; mireds <= 500; mireds++) expect(miredsOf(kelvinOf(mireds))).toBe(mireds)
})
