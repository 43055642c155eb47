import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hue, mix, onScreen } from './colour.ts'
import { type LightCommand, parseLightCommand } from './commands.ts'
import { FRAME_MS, Light } from './light.ts'

const red = { r: 255, g: 0, b: 0, w: 0 }
const dark = { r: 0, g: 0, b: 0, w: 0 }

function told(light: Light, now: number, ...commands: object[]): Light {
  for (const command of commands) light.apply(parseLightCommand(JSON.stringify(command)), now)
  return light
}

test('Light begins off, and `on` shows white', () => {
  const light = new Light()
  expect(light.state).toEqual({ on: false, r: 0, g: 0, b: 0, w: 255, brightness: 255, effect: 'none' })
  expect(light.colourAt(0)).toEqual(dark)
  told(light, 0, { action: 'on' })
  expect(light.colourAt(0)).toEqual({ r: 0, g: 0, b: 0, w: 255 })
})

test('Light.apply() set_color turns the light on; off keeps the colour for the next on', () => {
  const light = told(new Light(), 0, { action: 'set_color', ...red })
  expect(light.state).toMatchObject({ on: true, ...red })
  told(light, 1, { action: 'off' })
  expect(light.state).toMatchObject({ on: false, ...red })
  expect(light.colourAt(1)).toEqual(dark)
  told(light, 2, { action: 'on' })
  expect(light.colourAt(2)).toEqual(red)
})

test('Light.apply() set_brightness scales what shines and leaves the colour as set', () => {
  const light = told(
    new Light(),
    0,
    { action: 'set_color', ...red },
    { action: 'set_brightness', brightness: 128 },
  )
  expect(light.state).toMatchObject({ ...red, brightness: 128 })
  expect(light.colourAt(0)).toEqual({ r: 128, g: 0, b: 0, w: 0 })
})

test('Light.apply() set_brightness leaves a light that is off off, and an effect running', () => {
  const light = told(new Light(), 0, { action: 'set_brightness', brightness: 9 })
  expect(light.state.on).toBe(false)
  told(light, 0, { action: 'rainbow' }, { action: 'set_brightness', brightness: 255 })
  expect(light.state.effect).toBe('rainbow')
})

test('Light blink shows the colour for the first half of each turn', () => {
  const light = told(
    new Light(),
    1000,
    { action: 'set_color', ...red },
    { action: 'blink', duration_ms: 400 },
  )
  const shown = [1000, 1199, 1200, 1399, 1400].map((now) => light.colourAt(now).r)
  expect(shown).toEqual([255, 255, 0, 0, 255])
  expect([1000, 1199, 1200].map((now) => light.nextChangeAt(now))).toEqual([1200, 1200, 1400])
  expect(light.settlesAt).toBeUndefined()
})

test('Light fade to a colour goes there once and then the effect is over', () => {
  const light = told(new Light(), 0, { action: 'fade', ...red, duration_ms: 1000 })
  expect(light.state).toMatchObject({ on: true, ...red, effect: 'fade' })
  expect([0, 500, 1000, 5000].map((now) => light.colourAt(now).r)).toEqual([0, 128, 255, 255])
  expect(light.nextChangeAt(500)).toBe(500 + FRAME_MS)
  expect(light.nextChangeAt(990)).toBe(1000)
  expect(light.settle(999)).toBe(false)
  expect(light.settle(1000)).toBe(true)
  expect(light.settle(1000)).toBe(false)
  expect(light.state.effect).toBe('none')
  expect(light.nextChangeAt(1000)).toBeUndefined()
})

test('Light fade that is interrupted begins where the first one was', () => {
  const light = told(new Light(), 0, { action: 'fade', ...red, duration_ms: 1000 })
  told(light, 500, { action: 'fade', r: 0, g: 255, b: 0, w: 0, duration_ms: 1000 })
  expect(light.colourAt(500)).toEqual({ r: 128, g: 0, b: 0, w: 0 })
  expect(light.colourAt(1500)).toEqual({ r: 0, g: 255, b: 0, w: 0 })
})

test('Light fade without a colour breathes in the one it has', () => {
  const light = told(new Light(), 0, { action: 'set_color', ...red }, { action: 'fade', duration_ms: 1000 })
  expect([0, 250, 500, 750, 1000].map((now) => light.colourAt(now).r)).toEqual([255, 128, 0, 127, 255])
  expect(light.settle(1e9)).toBe(false)
})

test('Light rainbow goes round the wheel and keeps the colour for afterwards', () => {
  const light = told(
    new Light(),
    0,
    { action: 'set_color', ...red },
    { action: 'rainbow', duration_ms: 3000 },
  )
  expect(light.colourAt(1000)).toEqual({ r: 0, g: 255, b: 0, w: 0 })
  expect(light.colourAt(2000)).toEqual({ r: 0, g: 0, b: 255, w: 0 })
  told(light, 2000, { action: 'on' })
  expect(light.state).toMatchObject({ ...red, effect: 'none' })
})

test('hue() and mix() stay within 0 to 255, onScreen() adds the white', () => {
  fc.assert(
    fc.property(fc.double({ min: -5, max: 5, noNaN: true }), (turn) => {
      for (const value of [...Object.values(hue(turn)), ...Object.values(mix(dark, hue(turn), turn))]) {
        expect(Number.isInteger(value) && value >= 0 && value <= 255).toBe(true)
      }
    }),
  )
  expect(onScreen({ r: 200, g: 10, b: 0, w: 100 })).toEqual({ r: 255, g: 110, b: 100 })
})

const byte = fc.integer({ min: 0, max: 255 })
const durationMs = fc.integer({ min: 100, max: 600_000 })
const colour = fc.record({ r: byte, g: byte, b: byte, w: byte })
const command: fc.Arbitrary<LightCommand> = fc.oneof(
  colour.map((c) => ({ action: 'set_color' as const, ...c })),
  fc.constantFrom({ action: 'on' as const }, { action: 'off' as const }),
  byte.map((brightness) => ({ action: 'set_brightness' as const, brightness })),
  fc.record({ action: fc.constantFrom('blink' as const, 'rainbow' as const), durationMs }),
  fc.record({ action: fc.constant('fade' as const), to: fc.option(colour, { nil: undefined }), durationMs }),
)

test('Light shows whole bytes at every moment, and its next change is never in the past', () => {
  const steps = fc.array(fc.tuple(command, fc.double({ min: 0, max: 1e6, noNaN: true })))
  fc.assert(
    fc.property(steps, (list) => {
      const light = new Light()
      let now = 0
      for (const [each, wait] of list) {
        light.apply(each, now)
        now += wait
        for (const value of Object.values(light.colourAt(now))) {
          expect(Number.isInteger(value) && value >= 0 && value <= 255).toBe(true)
        }
        expect(light.nextChangeAt(now) ?? now).toBeGreaterThanOrEqual(now)
        if (light.state.effect === 'none') expect(light.nextChangeAt(now)).toBeUndefined()
      }
    }),
  )
})
