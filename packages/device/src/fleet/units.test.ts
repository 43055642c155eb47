import { expect, test } from 'vitest'
import { durationOf, shareOf, spoken } from './units.ts'

test.each([
  ['250ms', 250],
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['1 h 30 m', 5_400_000],
  ['1.5d', 129_600_000],
])('durationOf(%j) is %d ms', (text, ms) => {
  expect(durationOf(text)).toBe(ms)
})

test.each(['', '10', 'm', '-5m', '10x', '1e3s', '5 minutes', '1d,2h'])('durationOf(%j) is none', (text) => {
  expect(durationOf(text)).toBeUndefined()
})

test.each([
  ['10 %', 0.1],
  ['0.5%', 0.005],
  ['100%', 1],
  [0.25, 0.25],
  [0, 0],
])('shareOf(%j) is %d', (value, share) => {
  expect(shareOf(value)).toBeCloseTo(share, 10)
})

test.each(['10', '101 %', '-1 %', 10, -0.1, Number.NaN, null, true])('shareOf(%j) is none', (value) => {
  expect(shareOf(value)).toBeUndefined()
})

test.each([
  [400, '0.4 s'],
  [25_000, '25 s'],
  [5_400_000, '1 h 30 m'],
  [187_200_000, '2 d 4 h'],
  [86_400_000, '1 d'],
])('spoken(%d) is %j', (ms, text) => {
  expect(spoken(ms)).toBe(text)
})
