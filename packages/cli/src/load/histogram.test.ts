import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Histogram } from './histogram.ts'

describe('Histogram', () => {
  test('tells a time to within 1 part in 32, and small ones exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 30 }), (microseconds) => {
        const histogram = new Histogram()
        histogram.add(microseconds)
        const told = histogram.quantile(1)
        expect(told).toBeGreaterThanOrEqual(microseconds)
        expect(told).toBeLessThanOrEqual(microseconds * (1 + 1 / 32))
      }),
    )
  })

  test('quantile() is the time that this share did not exceed', () => {
    const histogram = new Histogram()
    for (let i = 1; i <= 60; i++) histogram.add(i)
    expect([0.5, 0.1, 1, 0].map((share) => histogram.quantile(share))).toEqual([30, 6, 60, 1])
    expect(new Histogram().quantile(0.5)).toBeNaN()
  })

  test('goes through JSON and adds up', () => {
    const one = new Histogram()
    one.add(10)
    const two = new Histogram(JSON.parse(JSON.stringify(one)) as number[])
    two.addAll(one.toJSON())
    expect(two.count).toBe(2)
    expect(two.quantile(1)).toBe(10)
    two.clear()
    expect(two.toJSON()).toEqual([])
  })
})
