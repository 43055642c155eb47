import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  DeviceClient,
  type DeviceClientOptions,
  ReceivedMessage,
  runLight,
  SimulatedBroker,
  type Wire,
  type WireReceiver,
} from '../src/index.ts'

function simulated(options: object = {}) {
  const printed: string[] = []
  const client = new DeviceClient({
    clientId: 'esp32-s3',
    server: '127.0.0.1',
    simulate: true,
    print: (line) => void printed.push(line),
    ...options,
  })
  return { client, printed }
}

test('simulate: true prints what is published, and simulateMessage() plays the others', async () => {
  const { client, printed } = simulated()
  const got: string[] = []
  client.onMessage((message) => void got.push(`${message.topic} ${message.text()}`))
  expect(await client.connect()).toBe(true)
  await client.subscribe('home/+/set')
  await client.publish('home/lamp/state', 'on', { qos: 1, retain: true })
  client.simulateMessage('home/lamp/set', 'off')
  client.simulateMessage('elsewhere', 'x')
  await client.ping()
  expect(printed).toEqual(['esp32-s3: home/lamp/state on (QoS 1) (retained)'])
  expect(got).toEqual(['home/lamp/set off'])
})

test('readTopic() gives the retained message, the next one, or undefined when the broker goes', async () => {
  const broker = new SimulatedBroker()
  const { client } = simulated({ simulatedBroker: broker })
  await client.connect()
  broker.publish('config', '{"version":1}', { retain: true })
  expect((await client.readTopic('config'))?.json()).toEqual({ version: 1 })
  const next = client.readTopic('later')
  broker.publish('later', 'now')
  expect((await next)?.text()).toBe('now')
  expect(await client.readTopic('never', 0)).toBeUndefined()
  const lost = client.readTopic('never')
  broker.stop()
  expect(await lost).toBeUndefined()
  expect(client.connected).toBe(false)
  expect(await client.connect()).toBe(false)
  expect(client.failure?.message).toBe('the simulated broker is away')
})

test('checkMessages() hands over what has come, at once, with `polled`', async () => {
  const { client } = simulated({ polled: true })
  const got: ReceivedMessage[] = []
  client.onMessage((message) => void got.push(message))
  await client.connect()
  await client.subscribe('a')
  client.simulateMessage('a', '1')
  client.simulateMessage('a', '2')
  await client.ping()
  expect(got).toEqual([])
  expect(client.checkMessages()).toBe(2)
  expect(got.map((message) => message.text())).toEqual(['1', '2'])
  expect(client.checkMessages()).toBe(0)
})

test('link runs a light: it obeys, and its topics are those of any client', async () => {
  const broker = new SimulatedBroker()
  const { client } = simulated({ simulatedBroker: broker })
  await client.connect()
  const light = await runLight(client.link, { prefix: 'home/lamp' })
  expect(broker.retained('home/lamp/status')?.text()).toBe('online')
  const states = client.readTopic('home/lamp/led/state')
  await states
  const changed = new Promise<void>((resolve) => {
    const watcher = new DeviceClient({
      clientId: 'watcher',
      server: 'x',
      simulate: true,
      simulatedBroker: broker,
    })
    watcher.onMessage((message) => {
      if (message.text().includes('"r":255')) resolve()
    })
    void watcher.connect().then(() => watcher.subscribe('home/lamp/led/state'))
  })
  client.simulateMessage('home/lamp/led/control', '{"action":"set_color","r":255,"g":0,"b":0,"w":0}')
  await changed
  expect(light.light.state).toMatchObject({ on: true, r: 255 })
  await light.stop()
  expect(broker.retained('home/lamp/status')?.text()).toBe('offline')
})

test('simulate: "if-no-broker" prints when nothing answers on this machine', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  server.close()
  await once(server, 'close')
  const { client, printed } = simulated({ simulate: 'if-no-broker', port })
  expect(await client.connect()).toBe(true)
  expect(client.simulated).toBe(true)
  await client.publish('a', Uint8Array.of(0xff, 0))
  expect(printed).toEqual([
    `no broker at mqtt://127.0.0.1:${port}: messages are printed instead of sent`,
    'esp32-s3: a <2 bytes>',
  ])
  await client.disconnect()
})

test('without simulate a broker that is away is away, and simulateMessage() says what it needs', async () => {
  const { client } = simulated({ simulate: false, port: 1, connectTimeoutMs: 5000 })
  expect(await client.connect()).toBe(false)
  expect(client.failure?.message).toMatch(/127\.0\.0\.1:1/)
  expect(() => client.simulateMessage('a', 'b')).toThrow(/works in simulation only/)
})

test('connect() gives false when somebody answers who is no broker, or nobody does', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  )
  await Promise.all([once(silent, 'listening'), once(other, 'listening')])
  const failures = await Promise.all(
    [silent, other].map(async (server) => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      const { client } = simulated({
        simulate: false,
        port,
        connectTimeoutMs: server === silent ? 100 : 20_000,
      })
      expect(await client.connect()).toBe(false)
      return client.failure
    }),
  )
  expect(failures[0]).toMatchObject({ code: 'TIMEOUT' })
  expect(failures[1]).toBeInstanceOf(Error)
  for (const server of [silent, other]) server.close()
})

const wrong: [Partial<DeviceClientOptions>, string][] = [
  [{ clientId: '' }, 'clientId is ""; it takes a name that no other device has'],
  [{ server: '' }, 'server is ""; it takes a host name or address, such as 192.168.1.10'],
  [{ server: 'mqtt://x' }, 'server is "mqtt://x"; it takes a host name or address, such as 192.168.1.10'],
  [{ port: 0 }, 'port is 0; it takes a whole number from 1 to 65535'],
  [{ keepAlive: 65_536 }, 'keepAlive is 65536; it takes a whole number from 0 to 65535'],
  [{ simulate: 'if-no-broker', server: 'pi.local' }, 'simulate is "if-no-broker", but server is pi.local'],
]
test.each(wrong)('DeviceClient refuses %j', (options, message) => {
  expect(() => new DeviceClient({ clientId: 'a', server: 'b', ...options })).toThrow(message)
})

test('DeviceClient refuses what cannot be published, before it is sent', async () => {
  const { client, printed } = simulated()
  await client.connect()
  await expect(client.publish('a/#', 'x')).rejects.toThrow(RangeError)
  await expect(client.publish('a', 7 as unknown as string)).rejects.toThrow(
    'message takes a string or a Uint8Array',
  )
  await expect(client.publish('a', 'x', { qos: 3 as 2 })).rejects.toThrow('qos is 3; it takes 0, 1 or 2')
  await expect(client.subscribe('a/#/b')).rejects.toThrow(RangeError)
  await expect(client.readTopic('a', -1)).rejects.toThrow('waitSeconds is -1; it takes 0 or more')
  expect(printed).toEqual([])
})

describe('with a wire of the test', () => {
  /** A connection that the test holds both ends of. */
  function wired(options: Partial<DeviceClientOptions> = {}) {
    let receiver: WireReceiver | undefined
    const calls: string[] = []
    const wire: Wire = {
      publish: async (topic) => void calls.push(`publish ${topic}`),
      subscribe: async (filter) => void calls.push(`subscribe ${filter}`),
      unsubscribe: async (filter) => void calls.push(`unsubscribe ${filter}`),
      ping: async () => 1,
      close: async (force = false) => void calls.push(force ? 'close by force' : 'close'),
      traffic: () => ({ bytesSent: 10, bytesReceived: 20 }),
    }
    const opened: number[] = []
    const client = new DeviceClient({
      clientId: 'a',
      server: 'b',
      wire: async (given) => {
        opened.push(1)
        receiver = given
        return wire
      },
      ...options,
    })
    const come = (topic: string, text: string, qos: 0 | 1 | 2 = 0): unknown =>
      receiver?.received(new ReceivedMessage(topic, new TextEncoder().encode(text), qos, false))
    return { client, calls, opened, come, lose: () => receiver?.lost(new Error('gone')) }
  }

  test('connect() twice makes one connection; bytes of all connections are counted', async () => {
    const { client, opened, calls } = wired()
    expect(await Promise.all([client.connect(), client.connect()])).toEqual([true, true])
    expect(await client.connect()).toBe(true)
    expect(opened).toHaveLength(1)
    await client.disconnect()
    await client.disconnect({ force: true })
    expect(calls).toEqual(['close'])
    await client.connect()
    expect(client.traffic).toEqual({ bytesSent: 20, bytesReceived: 40 })
    await client.disconnect({ force: true })
    expect(calls.at(-1)).toBe('close by force')
  })

  test('connect() gives false when what was subscribed is refused now', async () => {
    let refuse = false
    const { client } = wired()
    await client.connect()
    await client.subscribe('a')
    await client.disconnect()
    const broken = wired({
      wire: async () => ({
        publish: async () => {},
        subscribe: async () => {
          if (refuse) throw new Error('not authorized')
        },
        unsubscribe: async () => {},
        ping: async () => 1,
        close: async () => {},
        traffic: () => ({ bytesSent: 0, bytesReceived: 0 }),
      }),
    }).client
    await broken.connect()
    await broken.subscribe('a')
    await broken.disconnect()
    refuse = true
    expect(await broken.connect()).toBe(false)
    expect(broken.failure?.message).toBe('not authorized')
    expect(broken.connected).toBe(false)
  })

  test('readTopic() leaves the subscription of the device alone, and takes its own back', async () => {
    const { client, calls, come } = wired()
    await client.connect()
    await client.subscribe('mine')
    const [one, two] = [client.readTopic('mine'), client.readTopic('once')]
    come('once', '1')
    come('mine', '2')
    expect((await one)?.text()).toBe('2')
    expect((await two)?.text()).toBe('1')
    await client.disconnect()
    expect(calls.filter((call) => call.startsWith('unsubscribe'))).toEqual(['unsubscribe once'])
  })

  test('readTopic() twice at once: the first to end leaves the other its subscription', async () => {
    const { client, calls, come } = wired()
    await client.connect()
    const [short, long] = [client.readTopic('a', 0), client.readTopic('a', 3600)]
    expect(await short).toBeUndefined()
    expect(calls).toEqual(['subscribe a', 'subscribe a'])
    come('a', 'x')
    expect((await long)?.text()).toBe('x')
    expect(calls.at(-1)).toBe('unsubscribe a')
  })

  test('messages that nobody takes are bounded: the oldest QoS 0 gives way, QoS 1 does not', async () => {
    const { client, come } = wired({ polled: true })
    const got: string[] = []
    client.onMessage((message) => void got.push(message.text()))
    await client.connect()
    await client.subscribe('#')
    come('a', 'kept', 1)
    for (let i = 0; i < 1500; i++) come('a', String(i))
    expect(client.checkMessages()).toBe(1000)
    expect([got[0], got[1], got.at(-1)]).toEqual(['kept', '501', '1499'])
    expect(client.dropped).toBe(501)
  })

  test('checkMessages() holds an acknowledgement back until the callback has had the message', async () => {
    const { client, come } = wired({ polled: true })
    client.onMessage(() => {})
    await client.connect()
    await client.subscribe('a')
    let acknowledged = false
    const received = Promise.resolve(come('a', 'x', 1)).then(() => (acknowledged = true))
    await client.ping()
    expect(acknowledged).toBe(false)
    client.checkMessages()
    await received
    expect(acknowledged).toBe(true)
  })

  test('a callback that throws refuses its message and does not hold up the next', async () => {
    const { client, come } = wired()
    const got: string[] = []
    const errors: unknown[] = []
    client.onError((error) => void errors.push(error))
    client.onMessage((message) => {
      got.push(message.text())
      if (message.text() === '1') throw new Error('no')
    })
    await client.connect()
    await client.subscribe('a')
    const first = come('a', '1', 1)
    const second = come('a', '2', 1)
    await expect(first).rejects.toThrow('no')
    await second
    expect(got).toEqual(['1', '2'])
    expect(errors).toMatchObject([{ message: 'no' }])
  })

  test('a connection that ends before it was handed over is none', async () => {
    const { client } = wired({
      wire: async (receiver) => {
        receiver.lost(new Error('gone at once'))
        return { traffic: () => ({ bytesSent: 0, bytesReceived: 0 }) } as Wire
      },
    })
    expect(await client.connect()).toBe(false)
    expect(client.connected).toBe(false)
    expect(client.failure?.message).toBe('gone at once')
  })

  test('a lost connection tells, once, and the client can connect again', async () => {
    const { client, lose, opened } = wired()
    const errors: string[] = []
    client.onDisconnect((error) => void errors.push(error.message))
    await client.connect()
    lose()
    lose()
    expect(errors).toEqual(['gone'])
    expect(client.failure?.message).toBe('gone')
    expect(await client.connect()).toBe(true)
    expect(client.failure).toBeUndefined()
    expect(opened).toHaveLength(2)
  })
})
