import { PassThrough } from 'node:stream'
import type { LightState } from '@pipit/device'
import { afterEach, expect, test, vi } from 'vitest'
import { describeState, lightView } from './terminal.ts'

const red = { r: 255, g: 0, b: 0, w: 0 }
const state: LightState = { on: true, ...red, brightness: 255, effect: 'none' }

function output(isTTY: boolean) {
  const out = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY, columns: 80 })
  return { out: out as unknown as NodeJS.WriteStream, written: () => (out.read() as string | null) ?? '' }
}

afterEach(() => vi.unstubAllEnvs())

test('lightView() without a terminal prints a line for each new state, and no escape codes', () => {
  const { out, written } = output(false)
  const view = lightView(out, 'title')
  view.show(red, state)
  view.show({ ...red, r: 3 }, state)
  view.beside('temperature 21')
  view.note('a note')
  view.end()
  expect(written()).toBe('light: on, r 255, g 0, b 0, w 0, brightness 255\na note\n')
})

test('lightView() in a terminal draws a block in the colour, over the last one', () => {
  vi.stubEnv('TERM', 'xterm')
  vi.stubEnv('NO_COLOR', '')
  const { out, written } = output(true)
  const view = lightView(out, 'title')
  view.show(red, state)
  const first = written()
  expect(first).toContain('\x1b[48;2;255;0;0m')
  expect(first).toContain('title')
  view.show(red, state)
  expect(written()).toBe('')
  view.note('a note')
  expect(written().startsWith('\x1b[3A\r\x1b[Ja note\n  \x1b[48')).toBe(true)
  view.show({ r: 0, g: 0, b: 0, w: 0 }, { ...state, on: false })
  const off = written()
  expect(off.startsWith('\x1b[3A\r\x1b[J')).toBe(true)
  expect(off).toContain('░')
  expect(off).toContain('off')
  view.end()
  expect(written()).toBe('\x1b[?25h')
})

test('lightView() honours NO_COLOR', () => {
  vi.stubEnv('NO_COLOR', '1')
  const { out, written } = output(true)
  lightView(out, 'title').show(red, state)
  expect(written()).toBe('light: on, r 255, g 0, b 0, w 0, brightness 255\n')
})

test('describeState() says the effect, and only off when off', () => {
  expect(describeState({ ...state, effect: 'rainbow' })).toMatch(/, rainbow$/)
  expect(describeState({ ...state, on: false })).toBe('off')
})
