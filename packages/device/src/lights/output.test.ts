import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LightOutput } from './output.ts'

const white = { r: 255, g: 255, b: 255, w: 255 }
const dark = { r: 0, g: 0, b: 0, w: 0 }

test('LightOutput gamma leaves dark dark and full full, and is 2.2 unless told', () => {
  const output = new LightOutput()
  expect(output.drive(white)).toEqual({ duty: white, milliamperes: 80, isLimited: false })
  expect(output.drive(dark).milliamperes).toBe(0)
  expect(output.drive({ ...dark, r: 128 }).duty.r).toBe(Math.round(255 * (128 / 255) ** 2.2))
  expect(new LightOutput({ gamma: 1 }).drive({ ...dark, g: 99 }).duty.g).toBe(99)
  expect(new LightOutput({ dutyBits: 13 }).drive({ ...dark, b: 255 }).duty.b).toBe(8191)
})

test('LightOutput power limit turns all channels down alike', () => {
  const power = {
    limitMilliamperes: 60,
    channelMilliamperes: { r: 20, g: 30, b: 30, w: 40 },
    idleMilliamperes: 10,
  }
  const output = new LightOutput({ gamma: 1, power })
  const driven = output.drive(white)
  expect(driven.isLimited).toBe(true)
  expect(driven.duty).toEqual({ r: 106, g: 106, b: 106, w: 106 })
  expect(driven.milliamperes).toBeCloseTo(10 + (106 / 255) * 120)
  expect(output.drive({ ...dark, r: 255 })).toEqual({
    duty: { ...dark, r: 255 },
    milliamperes: 30,
    isLimited: false,
  })
})

test('LightOutput never draws more than its limit, by its own model', () => {
  const byte = fc.integer({ min: 0, max: 255 })
  const current = fc.double({ min: 0, max: 500, noNaN: true })
  const options = fc.record({
    gamma: fc.double({ min: 1, max: 3, noNaN: true }),
    dutyBits: fc.integer({ min: 1, max: 16 }),
    power: fc.record({
      limitMilliamperes: fc.double({ min: 101, max: 2000, noNaN: true }),
      channelMilliamperes: fc.record({ r: current, g: current, b: current, w: current }),
      idleMilliamperes: fc.double({ min: 0, max: 100, noNaN: true }),
    }),
  })
  const colour = fc.record({ r: byte, g: byte, b: byte, w: byte })
  fc.assert(
    fc.property(options, colour, (given, shown) => {
      const { milliamperes, duty } = new LightOutput(given).drive(shown)
      expect(milliamperes).toBeLessThanOrEqual(given.power.limitMilliamperes)
      for (const value of Object.values(duty)) expect(Number.isInteger(value) && value >= 0).toBe(true)
    }),
  )
})

test('LightOutput refuses options that cannot be', () => {
  expect(() => new LightOutput({ gamma: 0 })).toThrow('gamma is 0; it takes 1 to 5')
  expect(() => new LightOutput({ dutyBits: 8.5 })).toThrow('dutyBits is 8.5')
  expect(() => new LightOutput({ power: { limitMilliamperes: 5, idleMilliamperes: 5 } })).toThrow(
    'limitMilliamperes is 5; it takes more than idleMilliamperes, which is 5',
  )
  const channelMilliamperes = { r: Number.NaN }
  expect(() => new LightOutput({ power: { limitMilliamperes: 5, channelMilliamperes } })).toThrow(
    'channelMilliamperes.r is NaN',
  )
})
