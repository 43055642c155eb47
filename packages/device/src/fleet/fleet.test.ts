import { expect, test, vi } from 'vitest'
import { Fleet } from './fleet.ts'
import { ModelWorld } from './model-world.ts'
import { checkScenario } from './scenario.ts'
import { describeSummary } from './summary.ts'
import { VirtualClock } from './virtual-clock.ts'
import type { FleetWorld } from './world.ts'

// Days of many devices, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 })

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Runs a scenario in virtual time. */
async function ran(document: object) {
  const { scenario, faults } = checkScenario(document)
  expect(faults).toEqual([])
  const clock = new VirtualClock()
  const lines: string[] = []
  const fleet = new Fleet({ scenario, clock, onEvent: (line) => void lines.push(line) })
  const world = new ModelWorld(scenario, clock, fleet.filter, fleet.collected)
  let isDone = false
  const running = fleet.run(world).finally(() => {
    isDone = true
  })
  while (!isDone) await clock.run(clock.now() + 60_000, settled)
  return { summary: await running, lines }
}

const HARD = {
  count: 30,
  duration: '1d',
  network: { loss: '10 %', give_up_after: 2 },
  outages: [
    { at: '4h', for: '5m' },
    { at: '9h', for: '20m' },
    { at: '15h', for: '2m' },
  ],
}

test('with 10 % loss and three broker restarts no reading is lost, and each is accounted for', async () => {
  const { summary } = await ran(HARD)
  const { readings } = summary
  expect(readings.measured).toBeGreaterThan(30 * 135)
  expect(summary).toMatchObject({ lostReadings: 0, outages: 3, faults: [], readings: { strange: 0 } })
  expect(readings.received + readings.kept).toBe(readings.measured)
  expect(readings.acknowledged).toBeLessThanOrEqual(readings.received)
  expect(readings.publishes).toBe(readings.retries + readings.acknowledged)
  // The scenario is hard: connections broke within publishes, and what had come already came again.
  expect(readings.retries).toBeGreaterThan(20)
  expect(readings.duplicates).toBeGreaterThan(5)
  expect(summary.connections.failed).toBeGreaterThan(30)
  expect(summary.linkDelays).toBeGreaterThan(1000)
  expect(summary.radioOnMsPerDay.mean).toBeGreaterThan(10_000)
  expect(summary.mahPerDay.mean).toBeGreaterThan(1)
})

test('the same seed gives the same events, another seed others', async () => {
  const short = { ...HARD, duration: '5h', outages: HARD.outages.slice(0, 1), count: 10 }
  const [first, again, other] = [await ran(short), await ran(short), await ran({ ...short, seed: 2 })]
  expect(again.lines).toEqual(first.lines)
  expect(again.summary).toEqual(first.summary)
  expect(first.summary.events.count).toBe(first.lines.length)
  expect(other.summary.events.hash).not.toBe(first.summary.events.hash)
})

test('one device more changes nothing for the others', async () => {
  const plain = { count: 3, duration: '6h', network: { loss: '20 %' } }
  const of = (lines: readonly string[]) => lines.filter((line) => / d-000[012] /.test(line))
  expect(of((await ran({ ...plain, count: 4 })).lines)).toEqual(of((await ran(plain)).lines))
})

test('brown-outs cost at most what was in the air, and the outbox on flash survives them', async () => {
  const { summary, lines } = await ran({
    ...HARD,
    brown_outs: [
      { at: '4h10m', share: 1 },
      { at: '12h', share: '50 %', for: '30m' },
    ],
  })
  const { readings } = summary
  expect(summary.brownOuts).toBeGreaterThan(35)
  expect(summary.brownOuts).toBeLessThan(60)
  expect(readings.lost).toMatchObject({ acknowledged: 0, unexplained: 0, outboxFull: 0 })
  expect(readings.received + readings.kept + readings.lost.power).toBe(readings.measured)
  expect(readings.lost.power).toBeLessThan(5)
  expect(lines.filter((line) => line.endsWith('loses power'))).toHaveLength(summary.brownOuts)
})

test('a power cut in the middle of a wake: the reading is lost with it, and counted so', async () => {
  // So slow that every device is awake when power goes.
  const { summary } = await ran({
    count: 5,
    duration: '10m',
    device: { interval: '1m', jitter: 0 },
    network: { latency: '20s', latency_spread: 0, connect_timeout: '5m' },
    brown_outs: [{ at: '70s', share: 1 }],
  })
  const { readings } = summary
  expect(readings.lost.power).toBeGreaterThan(0)
  expect(readings.lost).toMatchObject({ acknowledged: 0, unexplained: 0, outboxFull: 0 })
  expect(readings.received + readings.kept + readings.lost.power).toBe(readings.measured)
})

test('an outbox that is too small gives readings up, and the summary says so', async () => {
  const { summary } = await ran({
    count: 5,
    duration: '12h',
    device: { outbox: 4, reconnect: { min_interval: '1h' } },
    outages: [{ at: '1h', for: '5h' }],
  })
  const { readings } = summary
  expect(readings.lost.outboxFull).toBeGreaterThan(5 * 10)
  expect(readings.lost).toMatchObject({ acknowledged: 0, power: 0, unexplained: 0 })
  expect(summary.lostReadings).toBe(readings.lost.outboxFull)
  expect(readings.received + readings.kept + summary.lostReadings).toBe(readings.measured)
})

test('an outage in which nothing answers costs more radio than one in which the port refuses', async () => {
  const of = async (kind: string) =>
    (await ran({ count: 10, duration: '12h', outages: [{ at: '1h', for: '8h', kind }] })).summary
  const [refused, silent] = [await of('restart'), await of('unreachable')]
  expect(silent.lostReadings + refused.lostReadings).toBe(0)
  expect(silent.radioOnMsPerDay.mean).toBeGreaterThan(2 * refused.radioOnMsPerDay.mean)
  expect(silent.mahPerDay.mean).toBeGreaterThan(refused.mahPerDay.mean)
})

test('a configuration is rolled out in stages; a bad one changes nothing', async () => {
  const { summary, lines } = await ran({
    count: 20,
    duration: '12h',
    roll_out: [
      { at: '1h', version: 1, share: '10 %', set: { update_interval: 300 } },
      { at: '3h', version: 1, share: 1, set: { update_interval: 300 } },
      { at: '6h', version: 2, share: 1, set: { update_interval: 'often' } },
    ],
  })
  expect(summary.configurations.applied).toBe(20)
  expect(summary.configurations.refused).toBeGreaterThanOrEqual(20)
  const chosen = lines.flatMap((line) => /rolls out version \d+ to (\d+)/.exec(line)?.[1] ?? [])
  expect(Number(chosen[0])).toBeGreaterThan(0)
  expect(Number(chosen[0])).toBeLessThan(8)
  expect(chosen.slice(1)).toEqual(['20', '20'])
  expect(lines.filter((line) => line.endsWith('sleeps 300')).length).toBeGreaterThan(20 * 80)
  expect(summary.lostReadings).toBe(0)
})

test('clocks that drift and clocks that were never set keep no device from its broker', async () => {
  const { summary } = await ran({ ...HARD, clocks: { drift: 50_000, unset: '50 %' } })
  expect(summary.lostReadings).toBe(0)
  expect(summary.readings.received).toBeGreaterThan(30 * 125)
  // Nobody is stalled: what waited longest came within the longest wait of the policy and two intervals.
  expect(summary.readings.age.most).toBeLessThan(7 * 3_600_000)
})

test('a broker that forgets what it acknowledged is found out', async () => {
  const { scenario } = checkScenario({ count: 5, duration: '2h' })
  const clock = new VirtualClock()
  const fleet = new Fleet({ scenario, clock })
  let count = 0
  const world = new ModelWorld(scenario, clock, fleet.filter, (topic, payload) => {
    count++
    if (count % 10 !== 0) fleet.collected(topic, payload)
  })
  let isDone = false
  const running = fleet.run(world).finally(() => {
    isDone = true
  })
  while (!isDone) await clock.run(clock.now() + 60_000, settled)
  const summary = await running
  expect(summary.readings.lost.acknowledged).toBe(Math.floor(count / 10))
  expect(summary.lostReadings).toBe(summary.readings.lost.acknowledged)
  const text = describeSummary(summary)
  expect(text).toContain(`${summary.lostReadings} lost`)
  expect(text).toContain(`${summary.lostReadings} though acknowledged`)
})

test('end() ends a run early, and an outage with it', async () => {
  const { scenario } = checkScenario({ count: 5, duration: '1d', outages: [{ at: '1h', for: '10h' }] })
  const clock = new VirtualClock()
  const fleet = new Fleet({ scenario, clock })
  const world = new ModelWorld(scenario, clock, fleet.filter, fleet.collected)
  let isDone = false
  const running = fleet.run(world).finally(() => {
    isDone = true
  })
  clock.after(5_400_000, fleet.end)
  while (!isDone) await clock.run(clock.now() + 60_000, settled)
  const summary = await running
  expect(summary.durationMs).toBe(5_400_000)
  expect(clock.now()).toBeLessThan(2 * 3_600_000)
  expect(summary.lostReadings).toBe(0)
  expect(summary.readings.kept).toBeGreaterThan(0)
})

test('a broker that takes longer to be back than the next outage waits for is not killed in the middle', async () => {
  const { scenario } = checkScenario({
    count: 2,
    duration: '1h',
    outages: [
      { at: '10m', for: '1m' },
      { at: '15m', for: '1m' },
    ],
  })
  const clock = new VirtualClock()
  const fleet = new Fleet({ scenario, clock })
  const said: string[] = []
  const world: FleetWorld = {
    ...stranded,
    fail: async () => void said.push(`killed ${clock.now() / 60_000}`),
    recover: () =>
      new Promise((resolve) => {
        clock.after(600_000, () => {
          said.push(`back ${clock.now() / 60_000}`)
          resolve()
        })
      }),
  }
  let isDone = false
  const running = fleet.run(world).finally(() => {
    isDone = true
  })
  while (!isDone) await clock.run(clock.now() + 60_000, settled)
  await running
  expect(said).toEqual(['killed 10', 'back 21', 'killed 21', 'back 32'])
})

test('what the rig could not do is a fault of the summary', async () => {
  const { scenario } = checkScenario({ count: 1, duration: '10m', outages: [{ at: '1m', for: '1m' }] })
  const clock = new VirtualClock()
  const fleet = new Fleet({ scenario, clock })
  const world: FleetWorld = {
    ...stranded,
    fail: async () => {
      throw new Error('the broker cannot be ended')
    },
  }
  let isDone = false
  const running = fleet.run(world).finally(() => {
    isDone = true
  })
  while (!isDone) await clock.run(clock.now() + 60_000, settled)
  const summary = await running
  expect(summary.faults).toEqual(['the broker cannot be ended'])
  expect(summary.readings).toMatchObject({ received: 0, kept: 1 })
  expect(describeSummary(summary)).toContain('the broker cannot be ended')
})

/** A world without a way anywhere. */
const stranded: FleetWorld = {
  radio: () => ({ open: () => Promise.reject(new Error('no network')), cut: () => {}, delays: 0 }),
  publish: async () => {},
  fail: async () => {},
  recover: async () => {},
}
