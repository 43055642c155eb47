import { expect, test } from 'vitest'
import { readScenario, scenarioFrom } from './device-fleet-scenario.ts'

const faultsOf = (text: string, changes = {}) => {
  try {
    scenarioFrom(text, 'storm.yaml', changes)
    return 'none'
  } catch (error) {
    return (error as Error).message
  }
}

test('scenarioFrom() reads YAML; the command line is stronger', () => {
  const text = 'count: 5\nseed: 3\nnetwork: { loss: 10 % }\noutages:\n  - at: 1h\n    for: 5m\n'
  expect(scenarioFrom(text, 'x', { count: 7 })).toMatchObject({
    count: 7,
    seed: 3,
    network: { loss: 0.1 },
    outages: [{ at: 3_600_000, for: 300_000, kind: 'restart' }],
  })
  expect(scenarioFrom('', 'x', {}).count).toBe(100)
})

test.each([
  [
    'count: 5\nnetwork:\n  loss: 10\n',
    'storm.yaml:3: network.loss is 10; it takes a part such as 10 % or 0.1, 90 % at most',
  ],
  ['count: 5\nnetwork:\n  los: 10 %\n', 'storm.yaml:3: there is no network.los; did you mean loss?'],
  [
    'outages:\n  - at: 1h\n    for: 1m\n  - at: 2h\n',
    'storm.yaml:4: outages[1].for is missing; it takes a time such as 90s, 10m or 1h30m, 1 ms at least',
  ],
  [
    'outages:\n  - at: 1h\n    for: soon\n',
    'storm.yaml:3: outages[0].for is "soon"; it takes a time such as 90s, 10m or 1h30m, 1 ms at least',
  ],
  ['- 1\n', 'storm.yaml:1: the scenario takes keys and values'],
  ['count: 1\ncount: 2\n', 'storm.yaml:2: not YAML: Map keys must be unique'],
  ['a: [1\n', /^storm\.yaml:\d: not YAML: /],
  [
    'a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c]\n',
    /^storm\.yaml: Excessive alias count/,
  ],
])('scenarioFrom(%j) names the line', (text, message) => {
  if (message instanceof RegExp) expect(faultsOf(text)).toMatch(message)
  else expect(faultsOf(text)).toBe(message)
})

test('scenarioFrom() names the option when that is wrong', () => {
  expect(faultsOf('count: 5\n', { duration: 'soon' })).toBe(
    '--duration: duration is "soon"; it takes a time such as 90s, 10m or 1h30m, 1000 ms at least, 3660 days at most',
  )
})

test('every fault has its line', () => {
  expect(faultsOf('count: 0\nseed: -1\nweather:\n  spread: much\n').split('\n')).toHaveLength(3)
})

test('readScenario() says that a file is not there', async () => {
  await expect(readScenario('/nope.yaml', {})).rejects.toThrow('--scenario /nope.yaml: there is no such file')
})
