// What a light, sensors and their discovery do against our broker, they do against Mosquitto and in simulation.
import { announce, DeviceClient, discoveryFaults, MotionSensor, type ReceivedMessage } from '@pipit/device'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MODES, type Mode } from './device-modes.ts'
import { room } from './device-room.ts'

let mode: Mode
let ear: Ear

/** Somebody else, who hears everything. */
class Ear {
  readonly client: DeviceClient
  private readonly heard: ReceivedMessage[] = []
  private look: () => void = () => undefined

  constructor() {
    this.client = new DeviceClient({ clientId: 'ear', server: '127.0.0.1', ...mode.where })
    this.client.onMessage((message) => {
      this.heard.push(message)
      this.look()
    })
  }

  async start(): Promise<void> {
    expect(await this.client.connect()).toBe(true)
    for (const filter of ['home/room/#', 'homeassistant/#']) await this.client.subscribe(filter, { qos: 1 })
  }

  /** The next message on a topic; those before it on others stay. */
  async next(topic: string): Promise<string> {
    for (;;) {
      const at = this.heard.findIndex((message) => message.topic === topic)
      const [message] = at < 0 ? [] : this.heard.splice(at, 1)
      if (message !== undefined) return message.text()
      await new Promise<void>((resolve) => (this.look = resolve))
    }
  }
}

/** Topics of discovery that have a retained message. */
async function kept(): Promise<string[]> {
  const client = new DeviceClient({ clientId: 'late', server: '127.0.0.1', ...mode.where })
  const topics: string[] = []
  client.onMessage(({ topic }) => void topics.push(topic))
  await client.connect()
  await client.subscribe('homeassistant/#')
  // What was retained has come before the answer.
  await client.ping()
  await client.disconnect()
  return topics
}

describe.each(MODES)('$name', ({ skipped, start }) => {
  describe.skipIf(skipped)('the same as everywhere', () => {
    beforeEach(async () => {
      mode = await start()
      ear = new Ear()
      await ear.start()
    })
    afterEach(async () => {
      await ear.client.disconnect()
      await mode.end()
    })

    test('device-room.ts: commands, states, readings, discovery and a birth', async () => {
      const lines: string[] = []
      const leave = await room(mode.where, (line) => void lines.push(line))
      expect(await ear.next('home/room/status')).toBe('online')
      expect(JSON.parse(await ear.next('home/room/led/state'))).toMatchObject({ on: false, w: 255 })
      expect(JSON.parse(await ear.next('home/room/led/ha/state'))).toMatchObject({ state: 'OFF' })
      expect(await ear.next('home/room/temperature')).toBe('{"temperature":21.44,"unit":"°C"}')
      expect(await ear.next('home/room/motion')).toBe('{"motion":false}')
      expect(await ear.next('home/room/bell')).toBe('{"bell":3}')
      const config = await ear.next('homeassistant/device/room/config')
      expect(discoveryFaults('homeassistant/device/room/config', config)).toEqual([])

      await mode.tell('home/room/led/control', '{"action":"set_color","r":255,"g":255,"b":0,"w":0}')
      expect(JSON.parse(await ear.next('home/room/led/state'))).toMatchObject({
        on: true,
        r: 255,
        g: 255,
        w: 0,
      })
      expect(JSON.parse(await ear.next('home/room/led/ha/state'))).toMatchObject({
        state: 'ON',
        color: { g: 255 },
      })
      await mode.tell('home/room/led/ha/set', '{"brightness":128}')
      expect(JSON.parse(await ear.next('home/room/led/ha/state'))).toMatchObject({
        state: 'ON',
        brightness: 128,
      })
      expect(JSON.parse(await ear.next('home/room/led/state'))).toMatchObject({ r: 255, brightness: 128 })
      await mode.tell('home/room/led/control', '{"action":"set_color","r":300,"g":0,"b":0,"w":0}')
      expect(JSON.parse(await ear.next('home/room/led/error'))).toMatchObject({ field: 'r', given: 300 })

      await mode.tell('homeassistant/status', 'online')
      expect(await ear.next('homeassistant/device/room/config')).toBe(config)
      await leave()
      expect(lines).toEqual([
        '0 0 0 0, 0 mA',
        '255 255 0 0, 30 mA',
        '128 128 0 0, 9 mA',
        'r is 300; it takes a whole number from 0 to 255',
      ])
      expect(await mode.retained('home/room/status')).toBe('offline')
    })

    test('announce() moves a device from single components to one message, and takes it out', async () => {
      const single = 'homeassistant/binary_sensor/door/motion/config'
      const whole = 'homeassistant/device/door/config'
      const client = new DeviceClient({ clientId: 'door', server: '127.0.0.1', ...mode.where })
      expect(await client.connect()).toBe(true)
      const door = { id: 'door', name: 'Door', prefix: 'home/room/door', sensors: [new MotionSensor()] }
      const before = await announce(client.link, door, { form: 'single' })
      expect(JSON.parse(await ear.next(single))).toMatchObject({ uniq_id: 'door_motion' })
      before.stop()

      const after = await announce(client.link, door, { migrateFrom: 'single' })
      expect(await ear.next(single)).toBe('{"migrate_discovery":true}')
      expect(JSON.parse(await ear.next(whole))).toMatchObject({
        cmps: { motion: { uniq_id: 'door_motion' } },
      })
      expect(await ear.next(single)).toBe('')
      expect(await kept()).toEqual([whole])

      await after.remove()
      expect(await ear.next(whole)).toBe('')
      expect(await kept()).toEqual([])
      await client.disconnect()
    })
  })
})
