import { expect, test } from 'vitest'
import { checkScenario } from './scenario.ts'
import { Weather } from './weather.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 5, 21)
const { weather: usual } = checkScenario({}).scenario
const still = { ...usual, fronts: 0, spread: 0 }

test('Weather follows the day: warmest at its hour, coldest half a day later', () => {
  const weather = new Weather(still, 1)
  const day = Array.from({ length: 24 }, (_, hour) => weather.read(0, START + hour * HOUR).temperature)
  expect(day.indexOf(Math.max(...day))).toSatisfy((hour: number) => Math.abs(hour - 15) <= 1)
  expect(day.indexOf(Math.min(...day))).toSatisfy((hour: number) => Math.abs(hour - 3) <= 1)
  expect(Math.max(...day)).toBeGreaterThan(20)
  expect(Math.min(...day)).toBeLessThan(10)
})

test('Weather has a place for each device, fronts that pass, and humidity that falls as it gets warmer', () => {
  const weather = new Weather(usual, 1)
  const places = Array.from({ length: 50 }, (_, device) => weather.read(device, START).temperature)
  expect(Math.max(...places) - Math.min(...places)).toBeGreaterThan(3)
  const noons = Array.from({ length: 20 }, (_, day) => weather.read(0, START + day * 24 * HOUR).temperature)
  expect(Math.max(...noons) - Math.min(...noons)).toBeGreaterThan(3)
  const [night, day] = [weather.read(0, START + 3 * HOUR), weather.read(0, START + 15 * HOUR)]
  expect(day.humidity).toBeLessThan(night.humidity)
})

test('Weather reads the same for the same seed, and moves smoothly', () => {
  const read = (seed: number) =>
    Array.from({ length: 500 }, (_, i) => new Weather(usual, seed).read(3, START + i * 60_000).temperature)
  expect(read(5)).toEqual(read(5))
  expect(read(5)).not.toEqual(read(6))
  const values = read(5)
  const steps = values.slice(1).map((value, i) => Math.abs(value - (values[i] ?? value)))
  expect(Math.max(...steps)).toBeLessThan(1)
})
