import { describe, expect, test } from 'vitest'
import {
  batterySensor,
  Counter,
  calibrated,
  chargeOf,
  climateSensors,
  MotionSensor,
  type Random,
  ReportGate,
  runSensor,
  type Sensor,
  SimulatedMotion,
  SimulatedTemperature,
  sensorOf,
  simulatedBattery,
  simulatedClimate,
} from '../src/index.ts'
import { HandClock, HandLink } from './hand.ts'
import { seeded, sensorContract } from './sensor-contract.ts'

/** A counter to which something is added as time goes by. */
function countedBy(random: Random): Sensor {
  const counter = new Counter({ quantity: 'rain', unit: 'mm' })
  let last = 0
  const { quantity, traits } = counter
  return {
    quantity,
    traits,
    read(now) {
      if (now > last) counter.add(Math.floor(random() * 3))
      last = now
      return counter.read(now)
    },
  }
}

const sensors: Record<string, (random: Random) => Sensor> = {
  SimulatedTemperature: () => new SimulatedTemperature(),
  'climateSensors() temperature': () => climateSensors(simulatedClimate()).temperature,
  'climateSensors() humidity': () => climateSensors(simulatedClimate({ dayMs: 60_000 })).humidity,
  MotionSensor: () => new MotionSensor(),
  SimulatedMotion: (random) => new SimulatedMotion(random),
  'batterySensor()': () => batterySensor((now) => 3 + (now % 1500) / 1000),
  'simulatedBattery()': () => simulatedBattery(400_000),
  Counter: countedBy,
  'sensorOf() a quantity of its own': () => sensorOf('wind', (now) => now / 7),
  'calibrated() by an offset': () => calibrated(new SimulatedTemperature(), { offset: -0.07 }),
  'calibrated() by two points': () =>
    calibrated(climateSensors(simulatedClimate()).humidity, {
      points: [
        { measured: 30, actual: 20 },
        { measured: 50, actual: 60 },
      ],
    }),
}

describe.each(Object.entries(sensors))('the contract of sensors', (name, make) => {
  sensorContract(name, make)
})

test('climateSensors() measure once for both', () => {
  let measurements = 0
  const { temperature, humidity } = climateSensors(() => ({
    temperature: 20 + measurements++,
    humidity: 40.06,
  }))
  expect(temperature.read(5)).toEqual({ value: 20, unit: '°C' })
  expect(humidity.read(5)).toEqual({ value: 40.1, unit: '%' })
  expect(temperature.read(6).value).toBe(21)
})

test('MotionSensor is on until it was still for its time, and SimulatedMotion moves by itself', () => {
  const sensor = new MotionSensor(100)
  const at = (now: number) => sensor.read(now).value
  expect(at(0)).toBe(0)
  sensor.trigger(10)
  expect([10, 109, 110].map(at)).toEqual([1, 1, 0])
  sensor.trigger(200)
  sensor.trigger(250)
  expect([349, 350].map(at)).toEqual([1, 0])
  const simulated = new SimulatedMotion(seeded(9), 1000, 500)
  const values = Array.from({ length: 1000 }, (_, i) => simulated.read(i * 100).value)
  const on = values.filter((value) => value === 1).length
  // A movement a second that holds for half a second: on for 1 - 1/e^0.5, about 39 % of the time.
  expect(on).toBeGreaterThan(300)
  expect(on).toBeLessThan(500)
})

test('chargeOf() goes along the curve of a lithium cell and no further', () => {
  expect([2.5, 3, 3.82, 4.2, 5].map(chargeOf)).toEqual([0, 0, 50, 100, 100])
  expect(chargeOf(3.845)).toBeCloseTo(55)
  expect(chargeOf(Number.NaN)).toBeNaN()
})

test('Counter goes on from where it was, and refuses to go back', () => {
  const counter = new Counter({ start: 7 })
  counter.add()
  counter.add(3)
  expect(counter.read(0)).toEqual({ value: 11, unit: '' })
  expect(() => counter.add(-1)).toThrow('pulses is -1; it takes a whole number from 0 on')
  expect(() => new Counter({ start: 0.5 })).toThrow('start is 0.5')
})

test('calibrated() puts values right by offset, scale and two points, and keeps to what can be', () => {
  const raw = sensorOf('humidity', (now) => now)
  expect(calibrated(raw, { scale: 2, offset: -5 }).read(20).value).toBe(35)
  const points = [
    { measured: 10, actual: 0 },
    { measured: 20, actual: 50 },
  ] as const
  expect([10, 16, 20, 90, 0].map((now) => calibrated(raw, { points }).read(now).value)).toEqual([
    0, 30, 50, 100, 0,
  ])
  expect(() => calibrated(raw, { scale: 0 })).toThrow('scale is 0')
  expect(() => calibrated(raw, { points: [points[0], points[0]] })).toThrow('the two points are one')
})

test('ReportGate reports a change beyond the hysteresis, no sooner and no later than it may', () => {
  const gate = new ReportGate({ hysteresis: 0.5, minimumIntervalMs: 10, maximumIntervalMs: 100 })
  const told: number[] = []
  const values: [number, number][] = [
    [0, 20], // the first
    [5, 25], // too soon
    [10, 25], // changed
    [30, 25.4], // not enough
    [50, 24.6],
    [60, 25.5], // enough
    [159, 25.5],
    [160, 25.5], // long ago
  ]
  for (const [now, value] of values) {
    if (!gate.isDue(value, now)) continue
    gate.reported(value, now)
    told.push(now)
  }
  expect(told).toEqual([0, 10, 60, 160])
  const any = new ReportGate()
  any.reported(1, 0)
  expect([any.isDue(1, 1e9), any.isDue(1.01, 0)]).toEqual([false, true])
  expect(() => new ReportGate({ hysteresis: -1 })).toThrow('hysteresis is -1')
  expect(() => new ReportGate({ minimumIntervalMs: 5, maximumIntervalMs: 4 })).toThrow(
    'maximumIntervalMs is 4',
  )
})

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('runSensor() with a report policy publishes changes only, and again what failed to go out', async () => {
  const link = new HandLink()
  const clock = new HandClock()
  const seen: number[] = []
  let value = 20
  const sensor = sensorOf('temperature', () => value)
  runSensor(link, sensor, {
    clock,
    everyMs: 10,
    report: { hysteresis: 1 },
    onReading: (reading) => void seen.push(reading.value),
    onFault: () => undefined,
  })
  await link.heard(1)
  const step = async (next: number) => {
    value = next
    await turn()
    clock.pass(10)
    await turn()
  }
  await step(20.9)
  expect(link.said).toEqual([])
  link.failing = new Error('no connection')
  await step(22)
  link.failing = undefined
  await step(22)
  expect((await link.heard(1))[0]?.payload).toBe('{"temperature":22,"unit":"°C"}')
  expect(seen).toEqual([20, 20.9, 22, 22])
})

test('runSensor() tells of a sensor that fails and goes on', async () => {
  const link = new HandLink()
  const clock = new HandClock()
  const faults: string[] = []
  const values = [
    () => Number.NaN,
    () => {
      throw new Error('no answer on the bus')
    },
    () => 5,
  ]
  const sensor = sensorOf('humidity', () => values.shift()?.() ?? 0)
  runSensor(link, sensor, { clock, everyMs: 10, onFault: (error) => void faults.push(error.message) })
  for (let i = 0; i < 2; i++) {
    await turn()
    clock.pass(10)
  }
  expect((await link.heard(1))[0]?.payload).toBe('{"humidity":5,"unit":"%"}')
  expect(faults).toEqual(['humidity could not be measured', 'no answer on the bus'])
})
