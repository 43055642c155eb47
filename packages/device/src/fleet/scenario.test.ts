import { expect, test } from 'vitest'
import { checkScenario, type Scenario } from './scenario.ts'

const faultsOf = (document: unknown) => checkScenario(document).faults.map(({ message }) => message)

test('checkScenario() gives defaults for what is absent', () => {
  for (const empty of [{}, null, undefined, { network: null }]) {
    const { scenario, faults } = checkScenario(empty)
    expect(faults).toEqual([])
    expect(scenario).toMatchObject({
      count: 100,
      duration: 86_400_000,
      device: {
        interval: 600_000,
        reconnect: { maxAttempts: 3, minInterval: 3_600_000, maxInterval: 21_600_000 },
      },
      network: { loss: 0 },
      outages: [],
    } satisfies DeepPartial<Scenario>)
  }
})

type DeepPartial<T> = { readonly [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] }

test('checkScenario() reads times, shares, lists and moments', () => {
  const { scenario, faults } = checkScenario({
    start: '2026-01-01T06:00:00Z',
    network: { loss: '10 %', give_up_after: 3 },
    outages: [
      { at: '6h', for: '90s' },
      { at: '12h', for: '1m', kind: 'unreachable' },
    ],
    brown_outs: [{ at: '3h', share: '5 %' }],
    roll_out: [{ at: '4h', version: 2, share: 0.5, set: { interval: 300 } }],
  })
  expect(faults).toEqual([])
  expect(scenario.start).toBe(Date.UTC(2026, 0, 1, 6))
  expect(scenario.network).toMatchObject({ loss: 0.1, giveUpAfter: 3 })
  expect(scenario.outages).toEqual([
    { at: 21_600_000, for: 90_000, kind: 'restart' },
    { at: 43_200_000, for: 60_000, kind: 'unreachable' },
  ])
  expect(scenario.brownOuts).toEqual([{ at: 10_800_000, for: 0, share: 0.05 }])
  expect(scenario.rollOut).toEqual([{ at: 14_400_000, version: 2, share: 0.5, set: { interval: 300 } }])
})

test.each([
  [[], 'the scenario takes keys and values'],
  ['x', 'the scenario takes keys and values'],
  [
    { duration: 10 },
    'duration is 10; it takes a time such as 90s, 10m or 1h30m, 1000 ms at least, 3660 days at most',
  ],
  [{ count: 0 }, 'count is 0; it takes a whole number from 1 to 100000'],
  [{ network: { loss: '10' } }, 'network.loss is "10"; it takes a part such as 10 % or 0.1, 90 % at most'],
  [{ network: { los: 0.1 } }, 'there is no network.los; did you mean loss?'],
  [{ netwrok: {} }, 'there is no netwrok; did you mean network?'],
  [{ brownOuts: [] }, 'there is no brownOuts; did you mean brown_outs?'],
  [{ clocks: { colour: 1 } }, 'there is no clocks.colour; there is: drift, unset'],
  [{ outages: { at: '1h' } }, 'outages takes a list: a line that begins with "- " for each entry'],
  [
    { outages: [{ at: '1h' }] },
    'outages[0].for is missing; it takes a time such as 90s, 10m or 1h30m, 1 ms at least',
  ],
  [
    { outages: [{ at: '1h', for: '1m', kind: 'fire' }] },
    'outages[0].kind is "fire"; it takes restart or unreachable',
  ],
  [{ outages: [{ at: '2d', for: '1m' }] }, 'outages[0].at is after the end; duration is 1440m'],
  [
    { device: { topic: 'a/#' } },
    'device.topic is "a/#"; it takes a topic without # and +, that does not end with /',
  ],
  [{ start: 'tomorrow' }, 'start is "tomorrow"; it takes a moment such as 2026-06-21T00:00:00Z'],
  [{ roll_out: [{ at: '1h', version: 1, set: 5 }] }, 'roll_out[0].set is 5; it takes keys and values'],
])('checkScenario(%j) says what is wrong and what would be right', (document, message) => {
  expect(faultsOf(document)).toEqual([message])
})

test('checkScenario() finds what does not fit together', () => {
  expect(
    faultsOf({
      outages: [
        { at: '2h', for: '1h' },
        { at: '2h30m', for: '1m' },
      ],
      device: { reconnect: { min_interval: '7h' } },
    }),
  ).toEqual([
    'outages[1].at is within the outage before it; put them in order, each after the end of the one before',
    'device.reconnect.min_interval is longer than max_interval; make it shorter',
  ])
})
