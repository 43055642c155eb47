import type { Broker } from '@pipit/broker'
import { encode } from '@pipit/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import { Bench, text, type Wire } from './wire.ts'

const bench = new Bench()
afterEach(() => bench.end())

const kept = (broker: Broker, topic: string): string | undefined => {
  const message = broker.retained.get(`$SYS/broker/${topic}`)
  return message === undefined ? undefined : text(message.payload)
}

/** The topics that Debian's Mosquitto 2.0.11 publishes. */
const MOSQUITTO = [
  ...['received', 'sent'].flatMap((way) => [`bytes/${way}`, `messages/${way}`]),
  ...['active', 'connected', 'disconnected', 'expired', 'inactive', 'maximum', 'total'].map(
    (x) => `clients/${x}`,
  ),
  ...['current', 'maximum'].map((x) => `heap/${x}`),
  ...[
    'bytes/received',
    'bytes/sent',
    'connections',
    'messages/received',
    'messages/sent',
    'publish/dropped',
    'publish/received',
    'publish/sent',
    'sockets',
  ].flatMap((x) => ['1min', '5min', '15min'].map((span) => `load/${x}/${span}`)),
  'messages/stored',
  ...['bytes/received', 'bytes/sent', 'messages/dropped', 'messages/received', 'messages/sent'].map(
    (x) => `publish/${x}`,
  ),
  'retained messages/count',
  'shared_subscriptions/count',
  'store/messages/bytes',
  'store/messages/count',
  'subscriptions/count',
  'uptime',
  'version',
]

describe('$SYS', () => {
  test('has every topic of Mosquitto as soon as the broker listens', async () => {
    const { broker } = await bench.broker()
    const topics = [...broker.retained.match('$SYS/#')].map(({ topic }) => topic.replace('$SYS/broker/', ''))
    expect(topics.sort()).toEqual([...MOSQUITTO].sort())
    expect(kept(broker, 'version')).toMatch(/^pipit version \d/)
    expect(kept(broker, 'uptime')).toBe('0 seconds')
    expect(kept(broker, 'retained messages/count')).toBe('0') // the limits are for clients
  })

  test('counts clients, messages and bytes, also of connections that are gone', async () => {
    let now = 1_000_000
    const { broker, port } = await bench.broker({ now: () => now })
    const publisher = await bench.connect(port, { clientId: 'p' })
    const subscriber = await bench.connect(port, {
      clientId: 's',
      properties: { sessionExpiryInterval: 60 },
    })
    await subscriber.subscribe('t/#', 1)
    for (const [topic, payload, qos] of [
      ['t/a', '12345', 0],
      ['t/b', '123', 1],
      ['nobody', '1', 0],
    ] as const) {
      publisher.publish(topic, payload, { qos })
      if (topic !== 'nobody') await subscriber.receive('PUBLISH')
    }
    await publisher.receive('PUBACK')
    await publisher.settles()
    subscriber.send({ type: 'PUBACK', packetId: 1, reasonCode: 0 })
    await subscriber.settles()
    publisher.send({ type: 'DISCONNECT', reasonCode: 0 })
    await publisher.closed
    subscriber.socket.destroy()
    await subscriber.closed
    await bench.connect(port, { clientId: 'third' })
    now += 5_000
    broker.updateSysTree()
    const expected = {
      uptime: '5 seconds',
      'clients/connected': '1',
      'clients/active': '1',
      'clients/disconnected': '1',
      'clients/total': '2',
      'clients/maximum': '2',
      'publish/messages/received': '3',
      'publish/messages/sent': '2',
      'publish/bytes/received': '9',
      'publish/bytes/sent': '8',
      // CONNECT, SUBSCRIBE, 3 PUBLISH, PUBACK, 2 PINGREQ, DISCONNECT and 2 CONNECT more
      'messages/received': '11',
      // 3 CONNACK, SUBACK, 2 PUBLISH, PUBACK, 2 PINGRESP
      'messages/sent': '9',
      'subscriptions/count': '1',
      'pipit/dropped/no_one_subscribed': '1',
    }
    const found = Object.fromEntries(Object.keys(expected).map((topic) => [topic, kept(broker, topic)]))
    expect(found).toEqual(expected)
    now += 60_000
    broker.sweep()
    broker.updateSysTree()
    expect(kept(broker, 'clients/expired')).toBe('1')
    expect(kept(broker, 'clients/disconnected')).toBe('0')
  })

  test('bytes are those on the wire, and a fan-out counts for each receiver', async () => {
    const { broker, port } = await bench.broker({ sysInterval: 0 })
    const subscribers: Wire[] = []
    for (let i = 0; i < 10; i++) {
      const wire = await bench.connect(port, { clientId: `s${i}` })
      await wire.subscribe('t')
      subscribers.push(wire)
    }
    const publisher = await bench.connect(port, { clientId: 'p' })
    const before = broker.figures()
    publisher.publish('t', 'hello')
    publisher.publish('t', 'world')
    for (const wire of subscribers) {
      await wire.receive('PUBLISH')
      await wire.receive('PUBLISH')
    }
    const after = broker.figures()
    const size = encode(
      {
        type: 'PUBLISH',
        topic: 't',
        payload: Buffer.from('hello'),
        qos: 0,
        retain: false,
        dup: false,
        packetId: 0,
      },
      5,
    ).length
    expect(after.bytesReceived - before.bytesReceived).toBe(2 * size)
    expect(after.bytesSent - before.bytesSent).toBe(20 * size)
    expect(after.publishesSent - before.publishesSent).toBe(20)
    expect(after.publishBytesSent - before.publishBytesSent).toBe(100)
    expect(after.packetsSent - before.packetsSent).toBe(20)
  })

  test('averages load as Mosquitto does', async () => {
    let now = 0
    const { broker, port } = await bench.broker({ now: () => now })
    expect(kept(broker, 'load/sockets/1min')).toBe('0.00')
    for (let i = 0; i < 5; i++) await bench.connect(port, { clientId: `c${i}` })
    now += 10_000
    broker.updateSysTree()
    // 5 in 10 s are 30 a minute: interval + exponent * (current - interval), exponent = e^(-10/60).
    const perMinute = 30
    expect(kept(broker, 'load/sockets/1min')).toBe((perMinute - Math.exp(-10 / 60) * perMinute).toFixed(2))
    expect(kept(broker, 'load/connections/15min')).toBe(
      (perMinute - Math.exp(-10 / 900) * perMinute).toFixed(2),
    )
    now += 10_000
    broker.updateSysTree()
    const first = perMinute * (1 - Math.exp(-10 / 60))
    expect(kept(broker, 'load/sockets/1min')).toBe((Math.exp(-10 / 60) * first).toFixed(2))
  })

  test('a subscriber gets what changes, QoS 0, and # does not match it', async () => {
    let now = 0
    const { broker, port } = await bench.broker({ now: () => now })
    const wire = await bench.connect(port)
    await wire.subscribe('#')
    await wire.subscribe('$SYS/broker/uptime', 2)
    expect(await wire.receive('PUBLISH')).toMatchObject({ topic: '$SYS/broker/uptime', qos: 0, retain: true })
    now += 1_000
    broker.updateSysTree()
    const update = await wire.receive('PUBLISH')
    expect([update.retain, text(update.payload)]).toEqual([false, '1 seconds'])
    broker.updateSysTree()
    await wire.settles()
  })

  test('updates come by themselves', async () => {
    const { port } = await bench.broker({ sysInterval: 0.01 })
    const wire = await bench.connect(port)
    await wire.subscribe('$SYS/broker/bytes/received')
    await wire.receive('PUBLISH')
    expect((await wire.receive('PUBLISH')).retain).toBe(false)
  })

  test('a client may not write it, and with sysInterval 0 there is none', async () => {
    const { broker, port } = await bench.broker({ sysInterval: 0 })
    const wire = await bench.connect(port)
    wire.publish('$SYS/broker/uptime', 'never', { qos: 1, retain: true })
    expect((await wire.receive('PUBACK')).reasonCode).toBe(0x87)
    expect([...broker.retained.match('$SYS/#')]).toEqual([])
  })
})

describe('metricsText()', () => {
  test('is what Prometheus reads', async () => {
    const { broker, port } = await bench.broker()
    const wire = await bench.connect(port)
    wire.publish('nobody', 'x')
    await wire.settles()
    const lines = broker.metricsText().trimEnd().split('\n')
    expect(lines).toContain('pipit_clients_connected 1')
    expect(lines).toContain('pipit_publishes_received_total 1')
    expect(lines).toContain('pipit_messages_dropped_total{reason="no one subscribed"} 1')
    for (const line of lines) {
      expect(line).toMatch(/^(# (HELP|TYPE) pipit_\w+ .+|pipit_\w+(\{reason="[a-z0-9 ]+"\})? \d+(\.\d+)?)$/)
    }
    const names = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2])
    expect(new Set(names).size).toBe(names.length)
  })
})
