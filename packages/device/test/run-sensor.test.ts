import { expect, test } from 'vitest'
import { runSensor, SimulatedTemperature } from '../src/index.ts'
import { HandClock, HandLink } from './hand.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('runSensor() publishes JSON with the unit, retained, at once and then at each interval', async () => {
  const link = new HandLink()
  const clock = new HandClock()
  const running = runSensor(link, new SimulatedTemperature(), { clock, everyMs: 1000 })
  expect(await link.heard(1)).toEqual([
    {
      topic: 'sensors/esp32-s3/temperature',
      payload: '{"temperature":21,"unit":"°C"}',
      options: { qos: 0, retain: true },
    },
  ])
  await turn()
  clock.pass(60_000)
  const [second] = await link.heard(1)
  expect(second?.payload).toMatch(/^{"temperature":2\d(\.\d+)?,"unit":"°C"}$/)
  await turn()
  running.stop()
  expect(clock.waiting).toBe(0)
})

test('runSensor() tells of a publish that failed and tries the next reading', async () => {
  const link = new HandLink()
  const clock = new HandClock()
  const faults: string[] = []
  link.failing = new Error('no connection')
  runSensor(link, new SimulatedTemperature(), { clock, onFault: (error) => void faults.push(error.message) })
  await turn()
  expect(faults).toEqual(['no connection'])
  link.failing = undefined
  clock.pass(5000)
  expect(await link.heard(1)).toHaveLength(1)
})
