import { open } from '@pipit/client'
import { expect, test } from 'vitest'
import { type DeviceLink, deviceTopics, statusWill } from '../src/index.ts'

test('a client of @pipit/client is a DeviceLink', async () => {
  const client = open('mqtt://127.0.0.1:1', { reconnect: false, will: statusWill('home/lamp') })
  const link: DeviceLink = client
  expect(typeof link.publish).toBe('function')
  await client.close({ force: true })
})

test('deviceTopics() and statusWill() name the topics of a device', () => {
  expect(deviceTopics('home/lamp')).toEqual({
    status: 'home/lamp/status',
    control: 'home/lamp/led/control',
    state: 'home/lamp/led/state',
    error: 'home/lamp/led/error',
    temperature: 'home/lamp/temperature',
  })
  expect(statusWill()).toEqual({ topic: 'sensors/esp32-s3/status', payload: 'offline', qos: 1, retain: true })
})
