import { expect, test } from 'vitest'
import {
  announce,
  type DeviceDescription,
  discoveryFaults,
  discoveryMessages,
  MotionSensor,
} from '../src/index.ts'
import { HandLink } from './hand.ts'

const description: DeviceDescription = {
  id: 'd1',
  name: 'One',
  prefix: 'home/one',
  light: true,
  sensors: [new MotionSensor()],
}
const retained = { qos: 1, retain: true }
const DEVICE = 'homeassistant/device/d1/config'
const LIGHT = 'homeassistant/light/d1/light/config'
const MOTION = 'homeassistant/binary_sensor/d1/motion/config'
const STATUS = 'home/one/status'

test('announce() publishes what discoveryMessages() gives, retained, and says online', async () => {
  const link = new HandLink()
  await announce(link, description)
  const [config, status] = await link.heard(2)
  const [wanted] = discoveryMessages(description)
  expect(config).toEqual({ ...wanted, options: retained })
  expect(status).toEqual({ topic: STATUS, payload: 'online', options: retained })
  expect(link.subscribed).toEqual(['homeassistant/status'])
})

test('announce() says it again when Home Assistant is born, and when the connection came back', async () => {
  const link = new HandLink()
  let births = 0
  await announce(link, description, { form: 'single', onBirth: () => births++ })
  expect((await link.heard(3)).map(({ topic }) => topic)).toEqual([LIGHT, MOTION, STATUS])
  link.tell('offline')
  link.tell('online')
  expect((await link.heard(2)).map(({ topic }) => topic)).toEqual([LIGHT, MOTION])
  link.reconnect()
  expect((await link.heard(3)).map(({ topic }) => topic)).toEqual([LIGHT, MOTION, STATUS])
  expect(births).toBe(1)
})

test('announce() hands entities over from one form to the other, in the order that is asked for', async () => {
  const migration = '{"migrate_discovery":true}'
  for (const [form, migrateFrom, before, after] of [
    ['device', 'single', [LIGHT, MOTION], [DEVICE]],
    ['single', 'device', [DEVICE], [LIGHT, MOTION]],
  ] as const) {
    const link = new HandLink()
    await announce(link, description, { form, migrateFrom })
    const said = await link.heard(2 * before.length + after.length + 1)
    expect(said.map(({ topic }) => topic)).toEqual([...before, ...after, STATUS, ...before])
    expect(said.slice(0, before.length).map(({ payload }) => payload)).toEqual(before.map(() => migration))
    expect(said.slice(-before.length).map(({ payload }) => payload)).toEqual(before.map(() => ''))
    for (const { topic, payload, options } of said) {
      expect(options).toEqual(retained)
      if (topic !== STATUS) expect(discoveryFaults(topic, payload)).toEqual([])
    }
  }
})

test('remove() clears every topic and announces no more', async () => {
  const link = new HandLink()
  const announced = await announce(link, description, { form: 'single' })
  await link.heard(3)
  await announced.remove()
  expect(link.said.splice(0)).toEqual(
    [LIGHT, MOTION].map((topic) => ({ topic, payload: '', options: retained })),
  )
  link.tell('online')
  await announced.done
  link.reconnect()
  expect(link.said).toEqual([])
})

test('stop() ends an announcement that is under way: nothing comes behind the offline of who stops', async () => {
  const link = new HandLink()
  const announced = await announce(link, description, { form: 'single' })
  await link.heard(3)
  link.reconnect()
  announced.stop()
  await new Promise((resolve) => setImmediate(resolve))
  expect(link.said.map(({ topic }) => topic)).toEqual([LIGHT])
})

test('announce() tells of a publish that failed', async () => {
  const link = new HandLink()
  const faults: string[] = []
  link.failing = new Error('no connection')
  await announce(link, description, { onFault: (error) => void faults.push(error.message) })
  expect(faults).toEqual(['no connection', 'no connection'])
})
