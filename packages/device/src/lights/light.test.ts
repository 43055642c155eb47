import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHueSaturation, fromKelvin, fromXy, hue, hueSaturation, mix, onScreen } from './colour.ts'
import { type LightCommand, parseLightCommand } from './commands.ts'
import { EFFECT_NAMES } from './effects.ts'
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

test('Light transition begins with what shines, and a new one with what shines then', () => {
  const light = told(new Light(), 0, { action: 'set_color', ...red, transition_ms: 1000 })
  expect(light.state).toMatchObject({ on: true, ...red, effect: 'none' })
  expect([0, 250, 1000].map((now) => light.colourAt(now).r)).toEqual([0, 64, 255])
  const blue = { r: 0, g: 0, b: 255, w: 0 }
  told(light, 500, { action: 'set_color', ...blue, transition_ms: 1000 })
  expect(light.colourAt(500)).toEqual({ r: 128, g: 0, b: 0, w: 0 })
  expect(light.colourAt(1000)).toEqual({ r: 64, g: 0, b: 128, w: 0 })
  told(light, 1000, { action: 'off', transition_ms: 500 })
  expect(light.state.on).toBe(false)
  expect([1000, 1250, 1500].map((now) => light.colourAt(now).b)).toEqual([128, 64, 0])
  expect(light.settle(1500)).toBe(false)
  expect(light.nextChangeAt(1500)).toBeUndefined()
})

test('Light brightness during a transition bends it without a jump', () => {
  const light = told(new Light(), 0, { action: 'set_color', ...red, transition_ms: 1000 })
  told(light, 500, { action: 'set_brightness', brightness: 51 })
  expect([500, 1000].map((now) => light.colourAt(now).r)).toEqual([128, 51])
})

test('Light pictures come on a grid of 20 ms however late the timer is', () => {
  const light = told(new Light(), 7, { action: 'set_color', ...red, transition_ms: 1000 })
  expect([7, 20, 27, 63].map((now) => light.nextChangeAt(now))).toEqual([27, 27, 47, 67])
  // A timer that is 3 ms late each time still shows 50 pictures in the second, the last at its end.
  let pictures = 0
  let last = 7
  for (let at = light.nextChangeAt(7); at !== undefined && last < 1007; at = light.nextChangeAt(last)) {
    last = at + 3
    pictures++
  }
  expect(pictures).toBe(50)
})

test('Light update changes what it names only, and brightness leaves an effect running', () => {
  const light = told(new Light(), 0, { action: 'set_color', r: 1, g: 2, b: 3, w: 4 })
  told(light, 1, { action: 'update', g: 200 })
  expect(light.state).toMatchObject({ on: true, r: 1, g: 200, b: 3, w: 4, brightness: 255 })
  told(light, 2, { action: 'effect', effect: 'candle' }, { action: 'update', brightness: 10 })
  expect(light.state).toMatchObject({ effect: 'candle', brightness: 10 })
  told(light, 3, { action: 'update', on: 'toggle' })
  expect(light.state).toMatchObject({ on: false, effect: 'none', brightness: 10 })
  told(light, 4, { action: 'update', brightness: 20 })
  expect(light.state.on).toBe(false)
  told(light, 5, { action: 'update', b: 9 })
  expect(light.state).toMatchObject({ on: true, g: 200, b: 9 })
})

test('Light color temperature is told as such until a colour comes', () => {
  const light = told(new Light(), 0, { action: 'update', color_temp_kelvin: 2700 })
  expect(light.state).toMatchObject({ on: true, color_temp_kelvin: 2700, ...fromKelvin(2700) })
  told(light, 1, { action: 'update', r: 0 })
  expect(light.state).not.toHaveProperty('color_temp_kelvin')
})

test('Light flash goes by, over an effect or over the dark, and leaves the state as it was', () => {
  const light = told(new Light(), 0, { action: 'update', flash_ms: 1000 })
  expect(light.state.on).toBe(false)
  expect([0, 249, 250, 500, 999, 1000].map((now) => light.colourAt(now).w)).toEqual([255, 255, 0, 255, 0, 0])
  expect([0, 300, 800].map((now) => light.nextChangeAt(now))).toEqual([250, 500, 1000])
  expect(light.settle(1000)).toBe(false)
  expect(light.nextChangeAt(1000)).toBeUndefined()
})

test.each(EFFECT_NAMES)(
  'Light effect %s moves, is the same for the same seed and time, and ends',
  (effect) => {
    const pictures = (seed: number) => {
      const light = told(new Light(seed), 0, { action: 'set_color', r: 200, g: 100, b: 50, w: 0 })
      told(light, 0, { action: 'effect', effect, duration_ms: 1000 })
      const seen: string[] = []
      for (let at: number | undefined = 0; at !== undefined && at < 3000; at = light.nextChangeAt(at)) {
        seen.push(JSON.stringify(light.colourAt(at)))
      }
      expect(light.state.effect).toBe(effect)
      told(light, 3000, { action: 'effect', effect: 'none' })
      expect(light.colourAt(3000)).toEqual({ r: 200, g: 100, b: 50, w: 0 })
      expect(light.nextChangeAt(3000)).toBeUndefined()
      return seen
    }
    expect(new Set(pictures(1)).size).toBeGreaterThan(1)
    expect(pictures(1)).toEqual(pictures(1))
    if (effect === 'candle') expect(pictures(1)).not.toEqual(pictures(2))
  },
)

test('Light transition never jumps: the colour at a command is the colour before it', () => {
  const transition = fc.record({
    c: colour,
    ms: fc.integer({ min: 1, max: 5000 }),
    wait: fc.integer({ min: 0, max: 6000 }),
  })
  fc.assert(
    fc.property(fc.array(transition, { maxLength: 8 }), (list) => {
      const light = new Light()
      let now = 0
      for (const { c, ms, wait } of list) {
        const before = light.colourAt(now)
        light.update({ colour: c, transitionMs: ms }, now)
        expect(light.colourAt(now)).toEqual(before)
        expect(light.colourAt(now + ms)).toEqual(c)
        now += wait
      }
    }),
  )
})

test('colours of hue and saturation, of xy and of a temperature', () => {
  expect(fromHueSaturation(0, 100)).toEqual(red)
  expect(fromHueSaturation(240, 50)).toEqual({ r: 128, g: 128, b: 255, w: 0 })
  expect(hueSaturation({ r: 128, g: 128, b: 255, w: 9 })).toEqual({ h: 240, s: 50 })
  expect(hueSaturation(dark)).toEqual({ h: 0, s: 0 })
  // sRGB's own red, green, blue and white.
  expect(fromXy(0.64, 0.33)).toEqual({ r: 255, g: 4, b: 2, w: 0 })
  expect(fromXy(0.3, 0.6)).toMatchObject({ r: 0, g: 255 })
  expect(fromXy(0.15, 0.06)).toMatchObject({ b: 255 })
  for (const value of Object.values(onScreen(fromXy(0.3127, 0.329)))) expect(value).toBeGreaterThan(253)
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(share, share, (x, y) => {
      const { r, g, b } = fromXy(x, y)
      expect(Math.max(r, g, b)).toBe(255)
    }),
  )
  // Cold white is nearly all white diode; warm white has red and no blue besides.
  expect(fromKelvin(6500).w).toBe(255)
  const warm = fromKelvin(2000)
  expect(warm.r).toBe(255)
  expect(warm.b).toBe(0)
  expect(warm.g).toBeGreaterThan(warm.w)
})
