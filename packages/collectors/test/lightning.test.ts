import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type CollectorAlert,
  distanceKm,
  LightningCollector,
  type LightningOptions,
  query,
  Store,
  simulateStorms,
} from '../src/index.ts'
import { StormWatch } from '../src/lightning/storm-watch.ts'
import { readStroke } from '../src/lightning/stroke.ts'
import { testFolder } from './folder.ts'

const centre = { latitude: 48.2, longitude: 16.4 }

function setUp(options: Partial<LightningOptions> = {}): { lightning: LightningCollector; store: Store } {
  const store = new Store({ path: join(testFolder(), 'lightning.db'), batchMs: 10 })
  onTestFinished(() => store.close(500))
  return { lightning: new LightningCollector({ store, centre, radiusKm: 50, ...options }), store }
}

const payload = (json: string): Uint8Array => Buffer.from(json)

describe('LightningCollector', () => {
  test('stores what lies in the circle, nanosecond by nanosecond, with distance and bearing', async () => {
    const { lightning, store } = setUp()
    const send = (json: string): void =>
      lightning.ingest({ topic: 'blitzortung/1.1/u/2', payload: payload(json) })
    send('{"time":1760000000123456789,"lat":48.2,"lon":16.6,"status":1,"region":3}')
    send('{"time":1760000000123456790,"lat":48.4,"lon":16.4}')
    send('{"time":1760000000123456791,"lat":49.2,"lon":16.4}')
    await store.flush()
    const { rows } = query(
      store.path,
      'SELECT time_ns, status, region, round(distance_km, 2), round(bearing, 1) FROM strokes ORDER BY id',
    )
    expect(rows).toEqual([
      [1760000000123456789n, 1, 3, 14.82, 89.9],
      [1760000000123456790n, null, null, 22.24, 0],
    ])
    expect(lightning.metrics().skipped).toEqual({ outside: 1 })
  })

  test.each([
    '',
    '{}',
    '[]',
    'null',
    '{"lat":1,"lon":2}',
    '{"lat":91,"lon":2,"time":1}',
    '{"lat":1,"lon":2,"time":1.5}',
    '{"lat":1,"lon":2,"time":99999999999999999999}',
  ])('counts %j as malformed', (json) => {
    const { lightning } = setUp()
    lightning.ingest({ topic: 'x', payload: payload(json) })
    expect(lightning.metrics()).toMatchObject({ records: 0, skipped: { malformed: 1 } })
  })

  test('ingest() never throws, whatever comes', () => {
    const { lightning } = setUp()
    const anything = fc.oneof(fc.uint8Array(), fc.json().map(payload))
    fc.assert(fc.property(anything, (bytes) => lightning.ingest({ topic: 'x', payload: bytes })))
  })

  test('tells of strokes that come near once, and again after a rest', () => {
    const { lightning } = setUp({ alertDistanceKm: 20, alertRestMs: 60_000 })
    const alerts: CollectorAlert[] = []
    lightning.on('alert', (alert) => alerts.push(alert))
    const strike = (seconds: number, lat: number): void =>
      lightning.ingest({
        topic: 'x',
        payload: payload(`{"time":${seconds}000000000,"lat":${lat},"lon":16.4}`),
      })
    strike(1000, 48.5)
    expect(alerts).toEqual([])
    strike(1010, 48.3)
    strike(1060, 48.25)
    strike(1100, 48.3)
    expect(alerts).toHaveLength(1)
    expect(alerts[0]).toMatchObject({ kind: 'near', distanceKm: expect.closeTo(11.12, 1), bearing: 0 })
    strike(1161, 48.3)
    expect(alerts).toHaveLength(2)
  })

  test('subscribes to at most 9 cells, one character a level', () => {
    const { lightning } = setUp()
    expect(lightning.cells.length).toBeLessThanOrEqual(9)
    for (const cell of lightning.cells) expect(cell).toMatch(/^u2/)
  })
})

describe('readStroke()', () => {
  test('keeps every nanosecond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 9_223_372_036_854_775_807n }), (time) => {
        expect(readStroke(payload(`{"lat":1,"time":${time},"lon":-2}`)).timeNs).toBe(time)
      }),
    )
  })
})

describe('StormWatch', () => {
  test('tells rate, nearest and the speed of what comes or goes', () => {
    for (const kmPerHour of [60, -45]) {
      const watch = new StormWatch()
      for (let second = 0; second < 600; second++) {
        const noise = second % 2 === 0 ? 3 : -3
        watch.add(second * 1000, 100 - (kmPerHour * second) / 3600 + noise)
      }
      const { strokesPerMinute, nearestKm, approachKmPerHour } = watch.report(600_000)
      expect(strokesPerMinute).toBeCloseTo(60, 5)
      expect(nearestKm).toBeCloseTo(kmPerHour > 0 ? 100 - (60 * 599) / 3600 - 3 : 97 + 45 / 3600, 3)
      expect(approachKmPerHour).toBeCloseTo(kmPerHour, 0)
    }
  })

  test('says nothing of a movement it cannot know, and forgets what is old', () => {
    const watch = new StormWatch()
    watch.add(0, 10)
    expect(watch.report(1000)).toMatchObject({ nearestKm: 10, approachKmPerHour: undefined })
    expect(watch.report(3_600_000)).toEqual({
      strokesPerMinute: 0,
      nearestKm: undefined,
      approachKmPerHour: undefined,
    })
  })

  test('does not grow with strokes, nor with strokes out of order', () => {
    const watch = new StormWatch()
    for (let i = 0; i < 100_000; i++) watch.add((i * 7919) % 3_600_000, 10)
    expect(watch.report(3_600_000).strokesPerMinute).toBeGreaterThan(0)
    expect(JSON.stringify(watch).length).toBeLessThan(5_000)
  })
})

describe('simulateStorms()', () => {
  test('the same seed gives the same storms, which move and are what a relay sends', () => {
    const options = { centre, radiusKm: 50, startAt: 1_760_000_000_000, storms: 1, strokesPerSecond: 5 }
    const take = (seed: number) =>
      simulateStorms({ ...options, seed })
        .take(5_000)
        .toArray()
    expect(take(4).slice(0, 10)).toEqual(take(4).slice(0, 10))
    expect(take(4)[0]).not.toEqual(take(5)[0])
    const strokes = take(4).map(({ payload: bytes }) => readStroke(bytes))
    const mean = (part: typeof strokes) =>
      part.reduce((sum, stroke) => sum + distanceKm(centre, stroke), 0) / part.length
    // A thousand seconds at 40 km/h and more.
    expect(mean(strokes.slice(0, 200)) - mean(strokes.slice(-200))).toBeGreaterThan(8)
  })

  test('its approach is what the collector makes of it', () => {
    const { lightning } = setUp({ radiusKm: 100 })
    let last = 0
    const options = { centre, radiusKm: 60, startAt: 1_760_000_000_000, storms: 1, strokesPerSecond: 5 }
    for (const stroke of simulateStorms(options).take(3_000)) {
      lightning.ingest(stroke)
      last = stroke.at
    }
    const { approachKmPerHour, strokesPerMinute } = lightning.report(last)
    expect(approachKmPerHour).toBeGreaterThan(35)
    expect(approachKmPerHour).toBeLessThan(95)
    expect(strokesPerMinute).toBeGreaterThan(200)
  })
})
