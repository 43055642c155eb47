import { expect, test } from 'vitest'
import { seeded } from './random.ts'
import { checkScenario } from './scenario.ts'
import { Direction } from './segments.ts'

const { network } = checkScenario({ network: { latency: '40ms', latency_spread: '20ms' } }).scenario

test('Direction keeps the order, and delays by the latency', () => {
  const direction = new Direction(network, seeded(1))
  let before = 0
  for (let i = 0; i < 1000; i++) {
    const { at, arrives, again } = direction.send(100, i)
    expect(arrives).toBe(true)
    expect(again).toBe(0)
    expect(at).toBeGreaterThanOrEqual(Math.max(before, i + 40))
    expect(at).toBeLessThan(i + 60.001)
    before = at
  }
})

test('Direction sends again what is lost, after 300, 600, 1200 ms, and gives up in the end', () => {
  const lossy = { ...network, latency: 0, latencySpread: 0, loss: 0.5, giveUpAfter: 3 }
  const random = seeded(2)
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 8000; i++) {
    const { at, arrives, again } = new Direction(lossy, random).send(100, 1000)
    counts[again] = (counts[again] ?? 0) + 1
    expect(arrives).toBe(again < 3)
    expect(at - 1000).toBe([0, 300, 900, 2100][again])
  }
  expect(counts.map((count) => Math.round(count / 1000))).toEqual([4, 2, 1, 1])
})

test('Direction loses a long message more easily than a short one', () => {
  const lossy = { ...network, loss: 0.1 }
  const delayed = (bytes: number) => {
    const random = seeded(3)
    let count = 0
    for (let i = 0; i < 2000; i++) count += new Direction(lossy, random).send(bytes, 0).again > 0 ? 1 : 0
    return count / 2000
  }
  expect(delayed(100)).toBeCloseTo(0.1, 1)
  expect(delayed(14_600)).toBeCloseTo(1 - 0.9 ** 10, 1)
})

test('Direction carries nothing while the link is dark, and goes on when it is not', () => {
  const dark = new Direction(network, seeded(4), (at) => at >= 1000 && at < 2000)
  expect(dark.send(10, 999)).toMatchObject({ arrives: true, again: 0 })
  const { at, arrives, again } = dark.send(10, 1000)
  expect(arrives).toBe(true)
  expect(again).toBe(3)
  expect(at).toBeGreaterThanOrEqual(1000 + 300 + 600 + 1200)
  const forGood = new Direction(network, seeded(4), () => true)
  expect(forGood.send(10, 0)).toEqual({ at: 300 * 31, arrives: false, again: 5 })
})
