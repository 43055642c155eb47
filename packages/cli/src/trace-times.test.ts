import { expect, test } from 'vitest'
import { type Observed, span, timelineOf } from './trace-times.ts'
import { drawTimeline } from './trace-view.ts'

const broker = { clock: 'here', received: 1200, routed: 1250, written: 1300, receivers: 1 }
const device = { clock: 'here', received: 1500, updated: 1600 }
const all: Observed = { clock: 'here', version: '5.0', called: 1000, stateSeen: 2000, broker, device }

test('timelineOf() lays the whole way end to end', () => {
  const { stages, missing } = timelineOf({ ...all, acknowledged: 1900 })
  expect(missing).toEqual([])
  expect(stages).toEqual([
    { name: 'publish() called → broker received', start: 0, length: 200 },
    { name: 'broker received → routed', start: 200, length: 50 },
    { name: 'routed → written', start: 250, length: 50 },
    { name: 'written → device callback', start: 300, length: 200 },
    { name: 'device callback → light updated', start: 500, length: 100 },
    { name: 'light updated → state back here', start: 600, length: 400 },
    { name: 'publish() called → acknowledged', start: 0, length: 900 },
  ])
})

test('timelineOf() does not go back when a clock was looked at late', () => {
  const { stages } = timelineOf({ ...all, device: { ...device, received: 1290 } })
  expect(stages.map(({ length }) => length)).toEqual([200, 50, 50, 0, 300, 400])
})

test.each([
  [
    '3.1.1',
    { broker: undefined, device: undefined },
    [/^broker: .* MQTT 3.1.1 has no User/, /^device: .* MQTT 3.1.1/],
  ],
  ['5.0', { broker: undefined }, [/^broker: .* this broker does not tell/]],
  ['5.0', { device: undefined }, [/^device: .* no device answered/]],
  ['5.0', { device: undefined, stateSeen: undefined }, [/^device/, /^the state did not come back/]],
  [
    '5.0',
    { broker: { ...broker, clock: 'there' } },
    [/^broker: .*another machine\); it had the message for 100 µs of a round trip of 1,000 µs/],
  ],
  [
    '5.0',
    { device: { ...device, clock: '' } },
    [/^device: .*another machine\); it took 100 µs of a round trip of 1,000 µs/],
  ],
] as const)('timelineOf() in MQTT %s without %j says what is missing', (version, without, missing) => {
  expect(timelineOf({ ...all, version, ...without }).missing).toEqual(
    missing.map((pattern) => expect.stringMatching(pattern)),
  )
})

test('drawTimeline() draws each part where it lies, at least one block wide', () => {
  const lines = drawTimeline(timelineOf(all)).split('\n')
  const bars = lines.map((line) => /│(.*)│/.exec(line)?.[1] ?? '')
  expect(bars.map((bar) => bar.length)).toEqual(Array(6).fill(40))
  expect(bars.map((bar) => [bar.indexOf('█'), bar.lastIndexOf('█') + 1])).toEqual([
    [0, 8],
    [8, 10],
    [10, 12],
    [12, 20],
    [20, 24],
    [24, 40],
  ])
  expect(lines[0]).toMatch(/ 200 µs$/)
  expect(drawTimeline({ stages: [], missing: ['all'] })).toBe('  missing: all')
  expect(drawTimeline({ stages: [{ name: 'a', start: 0, length: 0 }], missing: [] })).toContain('█')
  expect(span(1234567.8)).toBe('1,234,568 µs')
})
