import { expect, test } from 'vitest'
import { median, percentile, ratios } from './stats.ts'
import { table } from './table.ts'

test('median() takes the middle, or the mean of the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([])).toBeNaN()
})

test('percentile() gives a value that occurs', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(percentile(hundred, 0.99)).toBe(99)
  expect(percentile(hundred, 1)).toBe(100)
  expect(percentile([7], 0.5)).toBe(7)
})

test('ratios() compares within a round', () => {
  expect(ratios([10, 30], [5, 10])).toEqual([2, 3])
})

test('table() aligns its columns, numbers to the right', () => {
  expect(
    table(
      ['name', 'n'],
      [
        ['a', '1'],
        ['long', '22'],
      ],
    ),
  ).toBe('name   n\na      1\nlong  22')
})
