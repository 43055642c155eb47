// setupMqtt, publishSensorData and checkConfigUpdate: what they do besides what examples/device.test.ts shows.
import { describe, expect, test } from 'vitest'
import {
  checkConfigUpdate,
  DeviceClient,
  memoryConfiguration,
  publishSensorData,
  SimulatedBroker,
  sensorMessages,
  setupMqtt,
  type Wire,
} from '../src/index.ts'

const MONDAY = 1_767_571_200
const mqtt = { client_id: 'porch', broker: '127.0.0.1', topic_config: 'c', load_config_from_mqtt: true }
const file = { version: 3, update_interval: 600, mqtt }

/** Says what it was told, and counts the connections that are opened. */
function world() {
  const broker = new SimulatedBroker()
  const said: string[] = []
  const printed: string[] = []
  let opened = 0
  const open = broker.wire('porch', ({ topic, payload }) => {
    printed.push(`${topic} ${new TextDecoder().decode(payload)}`)
  })
  const client = {
    wire: async (receiver: Parameters<typeof open>[0]): Promise<Wire> => {
      opened++
      return open(receiver)
    },
  }
  return { broker, said, printed, client, say: (line: string) => void said.push(line), opened: () => opened }
}

describe('setupMqtt()', () => {
  test('tries at once, waits, tries again and starts anew; its state is in the object and in the store', async () => {
    const { broker, client, say, said, opened } = world()
    const store = memoryConfiguration(file)
    const config = structuredClone(file)
    let now = MONDAY
    const setup = () => setupMqtt(config, { store, client, say, now: () => now })
    broker.stop()
    const away = await setup()
    expect(away?.connected).toBe(false)
    expect(opened()).toBe(3)
    const state = { attempt_count: 3, last_attempt_time: MONDAY }
    expect(config.mqtt).toMatchObject({ reconnect: state })
    expect(await store.load()).toEqual({ ...file, mqtt: { ...mqtt, reconnect: state } })

    now += 3000
    const waiting = await setup()
    expect(opened()).toBe(3)
    expect(said.at(-1)).toBe('not connecting: 3 attempts failed; the next is due in 600 s')
    expect(await publishSensorData(waiting, config, 'a', 1, 2, { say })).toBe(false)
    expect(await checkConfigUpdate(waiting, config, config, { say })).toBe(config)
    expect(opened()).toBe(3)

    now += 600
    broker.start()
    const back = await setup()
    expect(back?.connected).toBe(true)
    expect(opened()).toBe(4)
    expect(await store.load()).toMatchObject({ mqtt: { reconnect: { attempt_count: 0 } } })
    await back?.disconnect()
  })

  test('takes the MQTT part alone, and keeps the whole file in the store', async () => {
    const { broker, client, say } = world()
    broker.stop()
    const store = memoryConfiguration(file)
    const part: Record<string, unknown> = { ...mqtt }
    await setupMqtt(part, { store, client, say, now: () => MONDAY })
    expect(part.reconnect).toMatchObject({ attempt_count: 3 })
    expect(await store.load()).toMatchObject({ version: 3, mqtt: { reconnect: { attempt_count: 3 } } })
  })

  test('writes nothing when a connection stands as ever, and can do with a frozen object', async () => {
    const { client, say } = world()
    const store = {
      load: async () => file,
      save: async () => {
        throw new Error('nothing has changed')
      },
    }
    const device = await setupMqtt(Object.freeze({ ...file }), { store, client, say })
    expect(device?.connected).toBe(true)
  })

  test('refuses a configuration that cannot be, before any connection', async () => {
    const { client, opened } = world()
    const wrong = { ...file, mqtt: { ...mqtt, keepalive: 'long' } }
    await expect(setupMqtt(wrong, { client })).rejects.toThrow('mqtt.keepalive is "long"')
    expect(opened()).toBe(0)
  })
})

describe('publishSensorData()', () => {
  const rows: [Parameters<typeof sensorMessages>[1], string][] = [
    ['dht', 'p/dht/data'],
    [{ id: 'a', name: 'B' }, 'p/a/data'],
    [{ name: 'Living Room' }, 'p/living_room/data'],
  ]
  test.each(rows)('of sensor %j goes to %s', (sensor, topic) => {
    expect(sensorMessages('p', sensor, { temperature: 1 }, 0).at(-1)?.topic).toBe(topic)
  })

  test.each(['', 'a/b', '#', 'a+'])('refuses a sensor called %j', (name) => {
    expect(() => sensorMessages('p', name, { temperature: 1 }, 0)).toThrow(/it takes a name without/)
  })

  test('leaves out what is no number', async () => {
    const { client, say, said, printed } = world()
    const device = await setupMqtt({ ...file }, { client, say })
    const publish = (temperature?: number, humidity?: number) =>
      publishSensorData(device, file, 'a', temperature, humidity, { say, now: () => 5 })
    expect(await publish(undefined, 40)).toBe(true)
    expect(printed).toEqual(['sensors/a/humidity 40', 'sensors/a/data {"humidity":40,"time":5}'])
    expect(await publish(Number.NaN, undefined)).toBe(false)
    expect(said.at(-1)).toBe('sensor data is not published: the sensor gave no number')
  })

  test('gives false, and says why, when the connection breaks meanwhile', async () => {
    const { say, said } = world()
    const broken = new DeviceClient({
      clientId: 'a',
      server: 'b',
      wire: async () => ({
        publish: async () => {
          throw new Error('the cable is out')
        },
        subscribe: async () => {},
        unsubscribe: async () => {},
        ping: async () => 1,
        close: async () => {},
        traffic: () => ({ bytesSent: 0, bytesReceived: 0 }),
      }),
    })
    await broken.connect()
    expect(await publishSensorData(broken, file, 'a', 1, 2, { say })).toBe(false)
    expect(said).toEqual(['sensor data is not published: the cable is out'])
  })
})

describe('checkConfigUpdate()', () => {
  async function checked(update: string, save?: () => Promise<void>) {
    const { broker, client, say, said, printed } = world()
    const device = await setupMqtt({ ...file }, { client, say })
    broker.publish('c', update, { retain: true })
    const store = { load: async () => file, save: save ?? (async () => {}) }
    const result = await checkConfigUpdate(device, file, file, { say, store })
    return { result, said: said.slice(1), printed }
  }

  test('an older version is ignored and answered; the one in force gets no second answer', async () => {
    const older = await checked('{"version":2}')
    expect(older.result).toBe(file)
    expect(older.said).toEqual(['configuration 2 is older than 3 and ignored'])
    expect(older.printed).toEqual(['c/status {"status":"ignored","version":2,"current":3}'])
    const same = await checked('{"version":3,"update_interval":1}')
    expect(same.result).toBe(file)
    expect([same.said, same.printed]).toEqual([[], []])
  })

  test('one that cannot be saved is refused', async () => {
    const full = async () => {
      throw new Error('the flash is full')
    }
    const { result, said } = await checked('{"version":4,"update_interval":60}', full)
    expect(result).toBe(file)
    expect(said).toEqual(['configuration 4 is refused: it could not be saved: the flash is full'])
  })

  test('bytes that are no JSON are refused', async () => {
    const { result, printed } = await checked('\u0000{{{')
    expect(result).toBe(file)
    expect(printed[0]).toMatch(/^c\/status {"status":"refused","faults":\[/)
  })

  test('is applied although its acknowledgement does not arrive', async () => {
    const device = new DeviceClient({
      clientId: 'porch',
      server: 'b',
      wire: async (receiver) => {
        const wire = await new SimulatedBroker().wire('porch')(receiver)
        const { ReceivedMessage } = await import('../src/index.ts')
        const update = new TextEncoder().encode('{"version":4}')
        return {
          subscribe: async () => void receiver.received(new ReceivedMessage('c', update, 1, true)),
          publish: async () => {
            throw new Error('gone')
          },
          unsubscribe: async () => {},
          ping: () => wire.ping(),
          close: () => wire.close(),
          traffic: () => wire.traffic(),
        }
      },
    })
    await device.connect()
    const store = memoryConfiguration(file)
    const result = await checkConfigUpdate(device, file, file, { store, say: () => {} })
    expect(result).toEqual({ ...file, version: 4 })
    expect(await store.load()).toEqual(result)
  })
})
