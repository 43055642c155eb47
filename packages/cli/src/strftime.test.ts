import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { strftime } from './strftime.ts'

const LETTERS = [...'aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYz']

// The C library's own strftime, through date(1), in the C locale; every week of years that begin on all days.
const dates = Array.from({ length: 300 }, (_, i) => 1_388_534_400 + i * 86_400 * 13 + i * 7_211)

test.skipIf(spawnSync('date', ['--version']).status !== 0)('strftime() says what date(1) says', () => {
  const format = LETTERS.map((letter) => `%${letter}`).join('\x01')
  const { stdout } = spawnSync('date', ['-f', '-', `+${format}\x02`], {
    input: dates.map((date) => `@${date}\n`).join(''),
    env: { ...process.env, LC_ALL: 'C' },
    encoding: 'utf8',
  })
  const lines = stdout.split('\x02\n').slice(0, -1)
  expect(lines).toHaveLength(dates.length)
  lines.forEach((line, i) => {
    const moment = { date: new Date((dates[i] ?? 0) * 1000), nanoseconds: 0 }
    expect(LETTERS.map((letter) => strftime(letter, moment)).join('\x01')).toBe(line)
  })
})

test('strftime() leaves a character it does not know behind its percent sign', () => {
  expect(strftime('Q', { date: new Date(0), nanoseconds: 0 })).toBe('%Q')
})
