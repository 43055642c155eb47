// What the examples of the device kit do against our broker, they do against Mosquitto and in simulation.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  DeviceClient,
  type DeviceClientOptions,
  type ReceivedMessage,
  readConfiguration,
  runCycle,
} from '@pipit/device'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lamp } from './device-client.ts'
import { round } from './device-configuration.ts'
import { MODES, type Mode } from './device-modes.ts'
import { thermometer } from './sleepy-sensor.ts'

const run = promisify(execFile)
let folder = ''
let mode: Mode

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-example-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function configuration(mqtt: object, rest: object = {}): string {
  const path = join(folder, 'config.json')
  const file = {
    version: 1,
    update_interval: 300,
    ...rest,
    mqtt: { client_id: 'porch', broker: '127.0.0.1', ...mqtt },
  }
  writeFileSync(path, JSON.stringify(file))
  return path
}
const saved = () => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))

describe.each(MODES)('$name', ({ name, skipped, start }) => {
  describe.skipIf(skipped)('the same as everywhere', () => {
    beforeEach(async () => {
      mode = await start()
    })
    afterEach(() => mode.end())

    const client = (options: Partial<DeviceClientOptions> = {}) =>
      new DeviceClient({ clientId: 'esp32-s3', server: '127.0.0.1', ...mode.where, ...options })

    test('device-client.ts', async () => {
      const lines: string[] = []
      await lamp(mode.where, (line) => void lines.push(line))
      expect(lines).toEqual(['the broker keeps on', 'no news of firmware: true', 'told off on home/lamp/set'])
      expect(await mode.retained('home/lamp/state')).toBe('on')
    })

    test('device-configuration.ts publishes, takes a configuration and acknowledges it', async () => {
      const path = configuration({
        topic_data_prefix: 'home/data',
        topic_config: 'home/config',
        load_config_from_mqtt: true,
        config_wait_time: 10,
      })
      const heard = client({ clientId: 'listener', polled: true })
      const got: string[] = []
      heard.onMessage((message) => void got.push(`${message.topic} ${message.text()}`))
      await heard.connect()
      await heard.subscribe('home/data/#', { qos: 1 })
      await mode.tell('home/config', '{"version":2,"update_interval":60,"mqtt":{"keepalive":30}}', true)

      const lines: string[] = []
      const options = { client: mode.where, now: () => 1_767_571_200 }
      await round(path, options, (line) => void lines.push(line.replace(/:\d+ as/, ' as')))

      expect(lines).toEqual([
        'connected to 127.0.0.1 as porch',
        'published: true',
        'configuration 2 is in force',
        'version 2, next round in 60 s',
      ])
      expect(saved()).toMatchObject({ version: 2, update_interval: 60, mqtt: { keepalive: 30 } })
      expect(await mode.retained('home/config/status')).toBe('{"status":"applied","version":2}')
      await heard.ping()
      heard.checkMessages()
      expect(got.slice(0, 2)).toEqual([
        'home/data/porch-dht22/temperature 21.5',
        'home/data/porch-dht22/humidity 40',
      ])
      expect(got[2]).toMatch(
        /^home\/data\/porch-dht22\/data {"temperature":21.5,"humidity":40,"unit":"C","time":\d+}$/,
      )
      await heard.disconnect()
    })

    test('device-configuration.ts refuses a bad update whole, and says why on the status topic', async () => {
      const path = configuration({
        topic_config: 'home/config',
        load_config_from_mqtt: true,
        config_wait_time: 10,
      })
      await mode.tell('home/config', '{"version":2,"update_interval":60,"mqtt":{"port":"x"}}', true)
      const before = readFileSync(path, 'utf8')
      const lines: string[] = []
      await round(path, { client: mode.where }, (line) => void lines.push(line))
      const message = 'mqtt.port is "x"; it takes a whole number from 1 to 65535'
      expect(lines.slice(2)).toEqual([
        `configuration 2 is refused: ${message}`,
        'version 1, next round in 300 s',
      ])
      expect(readFileSync(path, 'utf8')).toBe(before)
      expect(JSON.parse(await mode.retained('home/config/status'))).toEqual({
        status: 'refused',
        version: 2,
        faults: [{ key: 'mqtt.port', message }],
      })
    })

    test('device-configuration.ts with enabled: false does nothing and says so', async () => {
      const path = configuration({ enabled: false })
      const lines: string[] = []
      await round(path, { client: mode.where }, (line) => void lines.push(line))
      expect(lines).toEqual([
        'MQTT is off (enabled: false)',
        'sensor data is not published: there is no connection',
        'published: false',
        'version 1, next round in 300 s',
      ])
    })

    test('use_esp32_client: false stays subscribed and takes what has come', async () => {
      const path = configuration({
        use_esp32_client: false,
        topic_config: 'home/config',
        load_config_from_mqtt: true,
        config_wait_time: 0.1,
      })
      const { configurationFile } = await import('@pipit/device/node')
      const { checkConfigUpdate, setupMqtt } = await import('@pipit/device')
      const store = configurationFile(path)
      let config = await store.load()
      const say = (): void => {}
      const device = await setupMqtt(config, { client: mode.where, store, say })
      expect(await checkConfigUpdate(device, config, config, { store, say })).toBe(config)
      await mode.tell('home/config', '{"version":2,"update_interval":60}')
      await device?.ping()
      config = await checkConfigUpdate(device, config, config, { store, say })
      expect(config).toMatchObject({ version: 2, update_interval: 60 })
      await device?.disconnect()
    })

    test('sleepy-sensor.ts keeps its reading while the broker is away, as the policy says', async () => {
      configuration({})
      const cycle = () => runCycle({ ...thermometer(folder), client: () => client({ clientId: 'porch' }) })
      expect(await cycle()).toMatchObject({
        outcome: 'sent',
        sent: 1,
        kept: 0,
        attempts: 1,
        sleepSeconds: 300,
      })
      await mode.stop()
      expect(await cycle()).toMatchObject({ outcome: 'kept', kept: 1, attempts: 3 })
      expect(await cycle()).toMatchObject({ outcome: 'waited', kept: 2, attempts: 0, radioOnMs: 0 })
      expect(saved().mqtt.reconnect).toMatchObject({ attempt_count: 3 })
      expect(JSON.parse(readFileSync(join(folder, 'kept.json'), 'utf8'))).toHaveLength(2)
    })

    test('DeviceClient says why it could not connect, and what it cannot do then', async () => {
      await mode.stop()
      const device = client()
      expect(await device.connect()).toBe(false)
      expect(device.failure).toBeInstanceOf(Error)
      await expect(device.publish('a', 'b')).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
      await expect(device.subscribe('a')).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
      await expect(device.readTopic('a')).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
      await expect(device.ping()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
      expect(device.checkMessages()).toBe(0)
      await device.disconnect()
    })

    test('simulate: "if-no-broker" finds the broker that is there', async () => {
      const device = client(mode.where.simulate === true ? {} : { simulate: 'if-no-broker' })
      expect(await device.connect()).toBe(true)
      expect(device.simulated).toBe(mode.where.simulate === true)
      await device.publish('home/found', 'yes', { qos: 1, retain: true })
      expect(await mode.retained('home/found')).toBe('yes')
      await device.disconnect()
    })

    test('DeviceClient subscribes again when it connects again', async () => {
      const device = client()
      const got: ReceivedMessage[] = []
      let arrived = (): void => {}
      device.onMessage((message) => {
        got.push(message)
        arrived()
      })
      await device.connect()
      await device.subscribe('home/+', { qos: 1 })
      await device.disconnect()
      await mode.tell('home/kept', '1', true)
      const come = new Promise<void>((resolve) => (arrived = resolve))
      expect(await device.connect()).toBe(true)
      await come
      expect(got).toMatchObject([{ topic: 'home/kept', retain: true }])
      await device.disconnect()
    })

    // The simulated broker keeps no sessions.
    test.skipIf(name === 'simulation')(
      'sessionSeconds: what came while it slept is there when it wakes',
      async () => {
        const asleep = { clientId: 'sleeper', sessionSeconds: 3600 }
        const before = client(asleep)
        expect(await before.connect()).toBe(true)
        await before.subscribe('home/sleeper/set', { qos: 1 })
        await before.disconnect()
        await mode.tell('home/sleeper/set', 'on')
        // A device that comes out of deep sleep is a new process: it has not subscribed yet.
        const after = client(asleep)
        const kept = new Promise<string>((resolve) => after.onMessage((message) => resolve(message.text())))
        expect(await after.connect()).toBe(true)
        await after.subscribe('home/sleeper/set', { qos: 1 })
        expect(await kept).toBe('on')
        await after.disconnect()
      },
    )

    test('DeviceClient hears that the broker has gone, and readTopic() does not wait on', async () => {
      const device = client()
      await device.connect()
      const gone = new Promise<Error>((resolve) => device.onDisconnect(resolve))
      const waiting = device.readTopic('never', 3600)
      await mode.stop()
      expect(await gone).toBeInstanceOf(Error)
      expect(await waiting).toBeUndefined()
      expect(device.connected).toBe(false)
    })

    test('DeviceClient acknowledges a message when its callback is done; messages stay in order', async () => {
      const device = client()
      const order: string[] = []
      const done = new Promise<void>((resolve) => {
        device.onMessage(async (message) => {
          order.push(`begin ${message.text()}`)
          await new Promise((next) => setImmediate(next))
          order.push(`end ${message.text()}`)
          if (message.text() === '3') resolve()
        })
      })
      await device.connect()
      await device.subscribe('in/order', { qos: 2 })
      for (const text of ['1', '2', '3']) await mode.tell('in/order', text)
      await done
      expect(order).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3'])
      await device.disconnect()
    })
  })
})

describe('as a reader runs them, without a broker', () => {
  const example = async (name: string, ...args: string[]) => {
    const file = join(import.meta.dirname, name)
    const { stdout } = await run(process.execPath, ['--conditions=@pipit/source', file, ...args])
    return stdout
  }

  test('device-configuration.ts in simulation prints what it would send', async () => {
    const path = configuration({ simulate: true, topic_data_prefix: 'home/data' })
    const output = await example('device-configuration.ts', path)
    expect(output).toContain('porch: home/data/porch-dht22/temperature 21.5 (QoS 1)\n')
    expect(output).toContain('published: true\n')
  })

  test('charge.ts prints what the guide says', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../docs/guide/device.md'), 'utf8')
    expect(guide).toContain(await example('charge.ts'))
  })

  test('device-config.json is a configuration with nothing left to say', () => {
    const file = JSON.parse(readFileSync(join(import.meta.dirname, 'device-config.json'), 'utf8'))
    expect(readConfiguration(file)).toMatchObject({
      clientId: 'porch',
      topicDataPrefix: 'home/porch',
      topicConfig: 'home/porch/config',
      loadConfigFromMqtt: true,
    })
  })

  test('sleepy-sensor.ts in simulation reports a cycle and its charge', async () => {
    configuration({ simulate: true })
    expect(await example('sleepy-sensor.ts', folder)).toMatch(/outcome: 'sent'[\s\S]*mAh a day/)
  })
})
