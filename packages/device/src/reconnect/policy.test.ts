import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attemptConnection } from '../client/attempt.ts'
import { readConfiguration } from '../configuration/configuration.ts'
import { memoryConfiguration } from '../configuration/store.ts'
import { withReconnectState } from '../configuration/write.ts'
import {
  afterAttempt,
  DEFAULT_RECONNECT,
  decideAttempt,
  FRESH,
  type ReconnectSettings,
  type ReconnectState,
  waitAfter,
} from './policy.ts'

const DAY = 86_400
const WEEK = 7 * DAY
/** 2026-01-05, a Monday, 00:00. */
const MONDAY = 1_767_571_200

/** A device whose broker is away for a week; what it keeps goes through a file, as across deep sleep. */
interface Week {
  readonly settings?: Partial<ReconnectSettings>
  /** Seconds from one wake to the next. */
  readonly every: number
  /** The device's clock at a true time. */
  readonly clock?: (time: number) => number
  /** The device knows how long it slept. */
  readonly slept?: boolean
  /** The broker is there at a true time. */
  readonly broker?: (time: number) => boolean
  readonly random?: () => number
}

/** True times of the attempts, in seconds since Monday. */
async function attemptsOf(week: Week): Promise<{ times: number[]; writes: number; wakes: number }> {
  const file = { mqtt: { client_id: 'a', broker: 'b', custom: 1, reconnect: week.settings ?? {} } }
  const store = memoryConfiguration(snake(file))
  const times: number[] = []
  let writes = 0
  let wakes = 0
  for (let time = 0; time < WEEK; time += week.every) {
    wakes++
    const present = await store.load()
    const { reconnect, reconnectState } = readConfiguration(present)
    const now = (): number => (week.clock ?? ((t) => MONDAY + t))(time)
    const slept = week.slept === false ? undefined : week.every
    const client = {
      async connect() {
        times.push(time)
        return week.broker?.(time) ?? false
      },
    }
    const wake = { now, slept, nextWakeIn: week.slept === false ? undefined : week.every }
    const result = await attemptConnection(client, reconnect, reconnectState, wake, week.random)
    if (!result.changed) continue
    writes++
    await store.save(withReconnectState(present, result.state))
  }
  return { times, writes, wakes }
}

function snake(file: { mqtt: { reconnect: Partial<ReconnectSettings> } }) {
  const reconnect = Object.fromEntries(
    Object.entries(file.mqtt.reconnect).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  )
  return { mqtt: { ...file.mqtt, reconnect } }
}

const perDay = (times: readonly number[]) =>
  Array.from({ length: 7 }, (_, day) => times.filter((time) => Math.floor(time / DAY) === day).length)
const waits = (times: readonly number[]) => times.slice(1).map((time, i) => time - (times[i] ?? 0))

describe('waitAfter()', () => {
  const rows: [number, number][] = [
    [0, 0],
    [2, 0],
    [3, 3600],
    [4, 7200],
    [5, 14_400],
    [6, 21_600],
    [7, 21_600],
    [5000, 21_600],
  ]
  test.each(rows)('waits, after %i failures in a row, %i s with the defaults', (failures, wait) => {
    expect(waitAfter(DEFAULT_RECONNECT, failures)).toBe(wait)
  })

  test('is min_interval × backoff_factor ^ (attempt_count − max_attempts), capped, for any settings', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.integer({ min: 0, max: 100 }),
        (maxAttempts, minInterval, backoffFactor, more) => {
          const maxInterval = minInterval * 8
          const settings = { ...DEFAULT_RECONNECT, maxAttempts, minInterval, backoffFactor, maxInterval }
          const wait = waitAfter(settings, maxAttempts + more)
          expect(wait).toBe(Math.min(minInterval * backoffFactor ** more, maxInterval))
          expect(waitAfter(settings, maxAttempts - 1)).toBe(0)
        },
      ),
    )
  })
})

describe('a week without a broker', () => {
  const first = [0, 0, 0, 3600, 10_800, 25_200, 46_800, 68_400]

  test('wakes each 10 minutes: three attempts at once, waits of 1, 2, 4 and then 6 hours', async () => {
    const { times, writes } = await attemptsOf({ every: 600 })
    expect(times.slice(0, 8)).toEqual(first)
    expect(waits(times).slice(6)).toEqual(Array.from({ length: times.length - 7 }, () => 21_600))
    expect(perDay(times)).toEqual([8, 4, 4, 4, 4, 4, 4])
    // Once for each wake that tried: one that waits writes nothing.
    expect(writes).toBe(new Set(times).size)
  })

  const everies = [30, 60, 307, 605, 613, 900, 1000, 1801, 3599, 3600, 3601, 5000, 7200, 10_000, 21_599]
  test.each(everies)('wakes each %i s: at least four attempts each day', async (every) => {
    const { times } = await attemptsOf({ every })
    expect(Math.min(...perDay(times))).toBeGreaterThanOrEqual(4)
    expect(Math.max(...perDay(times).slice(1))).toBeLessThanOrEqual(Math.max(6, DAY / every + 1))
  })

  test('a wait ends at the first wake after it when nobody says when the next wake is', () => {
    const state = { attemptCount: 9, lastAttemptTime: MONDAY }
    const at = (seconds: number, nextWakeIn?: number) =>
      decideAttempt(DEFAULT_RECONNECT, state, { now: MONDAY + seconds, nextWakeIn })
    expect(at(21_599).attempt).toBe(false)
    expect(at(21_599).waitSeconds).toBe(1)
    expect(at(21_600).attempt).toBe(true)
    expect(at(21_100, 400).attempt).toBe(false)
    expect(at(21_100, 501).attempt).toBe(true)
    // Below the longest wait nothing is promised for a day, and the wait is exact.
    const early = { attemptCount: 3, lastAttemptTime: MONDAY }
    expect(decideAttempt(DEFAULT_RECONNECT, early, { now: MONDAY + 3599, nextWakeIn: 600 }).attempt).toBe(
      false,
    )
  })

  test('200 restarts: the state in the file is all that goes on, and the schedule is that of no restart', async () => {
    const every = WEEK / 200
    const restarted = await attemptsOf({ every })
    expect(restarted.wakes).toBe(200)
    let state: ReconnectState = FRESH
    const times: number[] = []
    for (let time = 0; time < WEEK; time += every) {
      for (let again = true; again; ) {
        const wake = { now: MONDAY + time, slept: every, nextWakeIn: every }
        const decision = decideAttempt(DEFAULT_RECONNECT, state, wake)
        again = decision.attempt && decision.state.attemptCount + 1 < DEFAULT_RECONNECT.maxAttempts
        state = decision.state
        if (!decision.attempt) break
        times.push(time)
        state = afterAttempt(DEFAULT_RECONNECT, state, false, MONDAY + time)
      }
    }
    expect(restarted.times).toEqual(times)
    expect(Math.min(...perDay(times))).toBeGreaterThanOrEqual(4)
  })

  test('success ends the row: the next failure begins anew with three attempts at once', async () => {
    const { times } = await attemptsOf({ every: 600, broker: (time) => time >= DAY && time < 2 * DAY })
    const back = times.filter((time) => time >= DAY && time < 2 * DAY)
    // From the first success on every wake connects.
    expect(waits(back).every((wait) => wait === 600)).toBe(true)
    const after = times.filter((time) => time >= 2 * DAY).map((time) => time - 2 * DAY)
    expect(after.slice(0, 8)).toEqual(first)
  })

  test('with other settings: two attempts, then 60, 180, 540, 900, 900 s', async () => {
    const settings = { maxAttempts: 2, minInterval: 60, backoffFactor: 3, maxInterval: 900 }
    const { times } = await attemptsOf({ every: 30, settings, slept: false })
    expect(waits(times).slice(0, 6)).toEqual([0, 60, 180, 540, 900, 900])
  })

  test('enabled: false tries once at every wake and keeps no state', async () => {
    const { times, writes, wakes } = await attemptsOf({ every: 3600, settings: { enabled: false } })
    expect(times).toHaveLength(wakes)
    expect(writes).toBe(0)
  })

  test('spread shortens waits by chance, as drawn once for each, and never lengthens them', async () => {
    let seed = 1
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
    const { times } = await attemptsOf({ every: 60, settings: { spread: 0.2 }, random })
    const long = waits(times).slice(6)
    for (const wait of long) {
      expect(wait).toBeGreaterThanOrEqual(0.8 * 21_600 - 60)
      expect(wait).toBeLessThanOrEqual(21_600)
    }
    expect(new Set(long).size).toBeGreaterThan(long.length / 2)
    expect(Math.min(...perDay(times))).toBeGreaterThanOrEqual(4)
  })
})

describe('a week with a bad clock', () => {
  /** The device's clock at a true time, seconds since Monday. */
  const clocks: Record<string, (time: number) => number> = {
    'jumps back a day on Wednesday': (t) => MONDAY + (t < 2 * DAY ? t : t - DAY),
    'jumps back ten years on Wednesday, before it was ever set': (t) =>
      t < 2 * DAY ? MONDAY + t : MONDAY - 10 * 365 * DAY + t,
    'jumps ahead a year on Wednesday': (t) => MONDAY + (t < 2 * DAY ? t : t + 365 * DAY),
    'starts at 1970 and runs on': (t) => t,
    'starts at 1970 at every wake': () => 3.2,
    'starts at 1970 at every wake, with a jitter': (t) => 3 + ((t / 600) % 7) / 10,
    'starts at 1970 and is set on Wednesday': (t) => (t < 2 * DAY ? t : MONDAY + t),
    'is set, then falls to 1970 on Wednesday and stays there': (t) => (t < 2 * DAY ? MONDAY + t : 5),
    'swings between 1970 and today': (t) => ((t / 600) % 2 === 0 ? MONDAY + t : 5),
    'loses an hour every day': (t) => MONDAY + t - Math.floor(t / DAY) * 3600,
    'runs 5 % fast': (t) => MONDAY + 1.05 * t,
    'runs 5 % slow': (t) => MONDAY + 0.95 * t,
    'gives no number': () => Number.NaN,
  }

  test.each(Object.keys(clocks))('that %s: neither stalls nor has every wake try', async (name) => {
    const { times } = await attemptsOf({ every: 600, clock: clocks[name] })
    const days = perDay(times)
    expect(days[0]).toBeGreaterThanOrEqual(6)
    expect(days[0]).toBeLessThanOrEqual(9)
    // A jump back loses at most the wait that it fell into: two waits lie between two attempts then.
    expect(Math.min(...days)).toBeGreaterThanOrEqual(3)
    expect(Math.max(...days.slice(1))).toBeLessThanOrEqual(6)
    expect(Math.max(...waits(times))).toBeLessThanOrEqual(2 * 21_600)
  })

  test.each(Object.keys(clocks))(
    'that %s, and nobody knows how long it slept: it does not stall',
    async (name) => {
      const { times } = await attemptsOf({ every: 900, clock: clocks[name], slept: false })
      expect(Math.min(...perDay(times))).toBeGreaterThanOrEqual(3)
      expect(Math.max(...perDay(times).slice(1))).toBeLessThanOrEqual(6)
    },
  )

  test('a wake that waits writes its count only while the clock cannot be believed', async () => {
    const good = await attemptsOf({ every: 600 })
    const jumped = await attemptsOf({ every: 600, clock: clocks['jumps back a day on Wednesday'] })
    expect(jumped.writes).toBeLessThanOrEqual(good.writes + 1)
  })
})

test('decideAttempt() gives the same answer for the same arguments, and changes neither', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 20 }),
      fc.double({ min: 0, max: 4e9, noNaN: true }),
      fc.double({ min: -1e9, max: 4e9, noNaN: true }),
      (attemptCount, lastAttemptTime, now) => {
        const state = Object.freeze({ attemptCount, lastAttemptTime })
        const once = decideAttempt(DEFAULT_RECONNECT, state, { now })
        expect(decideAttempt(DEFAULT_RECONNECT, state, { now })).toEqual(once)
        expect(once.attempt).toBe(once.waitSeconds === 0)
        expect(once.waitSeconds).toBeLessThanOrEqual(21_600)
      },
    ),
  )
})
