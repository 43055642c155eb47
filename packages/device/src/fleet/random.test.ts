import { expect, test } from 'vitest'
import { normal, seeded } from './random.ts'

const draw = (count: number, random: () => number) => Array.from({ length: count }, random)

test('seeded() gives the same numbers for the same seed and names, and others for any other', () => {
  const first = draw(50, seeded(7, 'device', 3))
  expect(draw(50, seeded(7, 'device', 3))).toEqual(first)
  for (const other of [
    seeded(8, 'device', 3),
    seeded(7, 'device', 4),
    seeded(7, 'device3'),
    seeded('7', 'device', 3),
  ]) {
    expect(draw(50, other)).not.toEqual(first)
  }
})

test('seeded() is spread evenly over 0 to below 1', () => {
  const counts = new Array<number>(10).fill(0)
  const random = seeded('even')
  for (let i = 0; i < 100_000; i++) {
    const value = random()
    expect(value >= 0 && value < 1).toBe(true)
    const slot = Math.floor(value * 10)
    counts[slot] = (counts[slot] ?? 0) + 1
  }
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
})

test('neighbouring seeds have nothing in common in their first numbers', () => {
  const firsts = Array.from({ length: 5000 }, (_, i) => seeded(1, 'device', i)())
  const mean = firsts.reduce((sum, value) => sum + value, 0) / firsts.length
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02)
  expect(new Set(firsts).size).toBe(5000)
})

test('normal() has mean 0 and deviation 1', () => {
  const random = seeded('normal')
  const values = draw(20_000, () => normal(random))
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  expect(Math.abs(mean)).toBeLessThan(0.03)
  expect(Math.abs(variance - 1)).toBeLessThan(0.05)
})
