import { expect, test } from 'vitest'
import { type Random, runSensor, type Sensor, traitsOf } from '../src/index.ts'
import { HandClock, HandLink } from './hand.ts'

/** The same random numbers for the same seed. */
export function seeded(seed: number): Random {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** What every sensor keeps.
 *  @param make gives a sensor, the same each time for the same random numbers */
export function sensorContract(name: string, make: (random: Random) => Sensor): void {
  const times = Array.from({ length: 500 }, (_, i) => i * 977)
  const series = (sensor: Sensor) => times.map((now) => sensor.read(now))

  test(`${name}: its quantity can be a level of a topic, and its traits fit together`, () => {
    const sensor = make(seeded(1))
    expect(sensor.quantity).toMatch(/^[a-z][a-z0-9_]*$/)
    const { kind, unit, decimals, lowest, highest, stateClass } = traitsOf(sensor)
    expect(lowest).toBeLessThan(highest)
    expect(Number.isInteger(decimals) && decimals >= 0).toBe(true)
    if (kind === 'binary')
      expect([unit, decimals, lowest, highest, stateClass]).toEqual(['', 0, 0, 1, undefined])
    else expect(stateClass).toBeDefined()
  })

  test(`${name}: readings have its unit, its decimals, and lie within its bounds`, () => {
    const sensor = make(seeded(2))
    const { unit, decimals, lowest, highest, stateClass } = traitsOf(sensor)
    let before = lowest
    for (const reading of series(sensor)) {
      expect(reading.unit).toBe(unit)
      expect(reading.value).toBe(Number(reading.value.toFixed(decimals)))
      expect(Object.is(reading.value, -0)).toBe(false)
      expect(reading.value).toBeGreaterThanOrEqual(stateClass === 'total_increasing' ? before : lowest)
      expect(reading.value).toBeLessThanOrEqual(highest)
      before = reading.value
    }
  })

  test(`${name}: the same time reads the same, and so does the same seed`, () => {
    const sensor = make(seeded(3))
    for (const now of times) expect(sensor.read(now)).toEqual(sensor.read(now))
    expect(series(make(seeded(4)))).toEqual(series(make(seeded(4))))
  })

  test(`${name}: runSensor() publishes its quantity, retained`, async () => {
    const link = new HandLink()
    const sensor = make(seeded(5))
    const running = runSensor(link, sensor, { clock: new HandClock(), prefix: 'home/x' })
    const [said] = await link.heard(1)
    running.stop()
    expect(said?.topic).toBe(`home/x/${sensor.quantity}`)
    expect(said?.options).toEqual({ qos: 0, retain: true })
    const published: unknown = JSON.parse(said?.payload ?? '')
    const { value, unit } = make(seeded(5)).read(0)
    const isBinary = traitsOf(sensor).kind === 'binary'
    expect(published).toEqual({ [sensor.quantity]: isBinary ? value === 1 : value, ...(unit && { unit }) })
  })
}
