import { expect, test } from 'vitest'
import { SimulatedTemperature } from './temperature.ts'

test('SimulatedTemperature moves slowly within its swing, and the same time reads the same', () => {
  const sensor = new SimulatedTemperature({ mean: 20, swing: 2, periodMs: 600_000 })
  const values = Array.from({ length: 600 }, (_, i) => sensor.read(i * 1000).value)
  expect(Math.min(...values)).toBeGreaterThanOrEqual(18)
  expect(Math.max(...values)).toBeLessThanOrEqual(22)
  expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(2)
  const steps = values.slice(1).map((value, i) => Math.abs(value - (values[i] ?? value)))
  expect(Math.max(...steps)).toBeLessThan(0.1)
  expect(sensor.read(5000)).toEqual(sensor.read(5000))
  expect(sensor.read(0)).toEqual({ value: 20, unit: '°C' })
})
