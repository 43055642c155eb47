import type { LocalMessage } from '@pipit/broker'
import { afterEach, describe, expect, test } from 'vitest'
import { Bench, text } from './wire.ts'

const bench = new Bench()
afterEach(() => bench.end())

/** Takes messages until one says so. */
async function collect(messages: AsyncIterable<LocalMessage>, last: string): Promise<string[]> {
  const got: string[] = []
  for await (const { topic, payload } of messages) {
    got.push(`${topic} ${text(payload)}`)
    if (text(payload) === last) break
  }
  return got
}

describe('broker.subscribe()', () => {
  test.each([0, 1, 2] as const)(
    'QoS %i: retained messages first, then all in order; leaving the loop unsubscribes',
    async (qos) => {
      const { broker, port } = await bench.broker({ sysInterval: 0 })
      broker.publish('t/kept', 'kept', { retain: true, qos: 2 })
      const messages = broker.subscribe('t/#', { qos })
      for (let i = 0; i < 100; i++) broker.publish(`t/${i % 3}`, String(i), { qos: 2 })
      const wire = await bench.connect(port)
      wire.publish('t/client', 'end', { qos: 1 })
      const got = await collect(messages, 'end')
      const expected = Array.from({ length: 100 }, (_, i) => `t/${i % 3} ${i}`)
      expect(got).toEqual(['t/kept kept', ...expected, 't/client end'])
      await wire.receive('PUBACK')
      await wire.settles()
      expect(broker.router.subscriptions).toBe(0)
      expect(broker.sessions.size).toBe(1)
      expect([...broker.connections].length).toBe(1)
    },
  )

  test('gives qos, retain and properties', async () => {
    const { broker } = await bench.broker()
    broker.publish('t', 'x', { qos: 1, retain: true, properties: { contentType: 'text/plain' } })
    const messages = broker.subscribe('t', { qos: 2 })
    const { value } = await messages.next()
    expect(value).toMatchObject({
      topic: 't',
      qos: 1,
      retain: true,
      properties: { contentType: 'text/plain' },
    })
    await messages.return()
    expect((await messages.next()).done).toBe(true)
  })

  test('retained: false leaves retained messages out', async () => {
    const { broker } = await bench.broker()
    broker.publish('t', 'old', { retain: true })
    const messages = broker.subscribe('t', { retained: false })
    broker.publish('t', 'new')
    const { value } = await messages.next()
    expect(text((value as LocalMessage).payload)).toBe('new')
  })

  test('a loop that is slow: QoS 1 waits in the queue, in order and complete; others do not wait', async () => {
    const { broker, port } = await bench.broker()
    const messages = broker.subscribe('t', { qos: 1, capacity: 10 })
    const wire = await bench.connect(port)
    await wire.subscribe('t')
    for (let i = 0; i < 1000; i++) broker.publish('t', String(i), { qos: 1 })
    for (let i = 0; i < 1000; i++) expect(text((await wire.receive('PUBLISH')).payload)).toBe(String(i))
    expect(broker.figures().queuedMessages).toBeGreaterThan(900)
    const got = await collect(messages, '999')
    expect(got).toEqual(Array.from({ length: 1000 }, (_, i) => `t ${i}`))
  })

  test('a loop that never takes: QoS 0 is bounded, dropped and counted', async () => {
    const { broker } = await bench.broker({ limits: { outputBytes: 100_000 }, sysInterval: 0 })
    const messages = broker.subscribe('t', { capacity: 1 })
    const payload = Buffer.alloc(1000)
    for (let turn = 0; turn < 20; turn++) {
      for (let i = 0; i < 50; i++) broker.publish('t', payload)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const dropped = broker.ledger.totals.get('slow receiver') ?? 0
    expect(dropped).toBeGreaterThan(500)
    broker.publish('t', 'end', { qos: 0 })
    let received = 0
    const rest = (async () => {
      for await (const message of messages) if (message.payload.length === 1000) received++
    })()
    await new Promise((resolve) => setImmediate(resolve))
    await broker.close()
    await rest
    expect(received + dropped).toBeLessThanOrEqual(1000)
    expect(received).toBeGreaterThan(0)
  })

  test('shares with clients, and gives back what it did not acknowledge', async () => {
    const { broker, port } = await bench.broker()
    const wire = await bench.connect(port)
    const messages = broker.subscribe('$share/g/t', { qos: 1 })
    await wire.subscribe('$share/g/t', 1)
    for (let i = 0; i < 10; i++) broker.publish('t', String(i), { qos: 1 })
    for (let i = 0; i < 5; i++) await wire.receive('PUBLISH')
    await messages.return()
    for (let i = 0; i < 5; i++) await wire.receive('PUBLISH')
  })

  test('no hook is asked about it, and it is no client', async () => {
    const asked: string[] = []
    const { broker, port } = await bench.broker({
      authorize: (_client, access, topic) => {
        asked.push(`${access} ${topic}`)
        return true
      },
      onSubscribe: () => void asked.push('onSubscribe'),
      onDelivered: () => void asked.push('onDelivered'),
      onDisconnect: () => void asked.push('onDisconnect'),
    })
    const messages = broker.subscribe('t')
    broker.publish('t', 'x', { retain: true })
    await messages.next()
    await messages.return()
    const wire = await bench.connect(port, { clientId: 'c' })
    await wire.settles()
    expect(asked).toEqual([])
    expect([...broker.clients].map(({ clientId }) => clientId)).toEqual(['c'])
    expect(broker.figures().clientsConnected).toBe(1)
  })

  test('ends when the broker does', async () => {
    const { broker } = await bench.broker()
    const messages = broker.subscribe('t')
    const next = messages.next()
    await broker.close()
    expect((await next).done).toBe(true)
  })

  test.each([['a/#/b'], [''], ['$share/g']])('throws on the filter %j', async (filter) => {
    const { broker } = await bench.broker()
    expect(() => broker.subscribe(filter)).toThrow()
    expect(() => broker.subscribe('t', { capacity: 0 })).toThrow(RangeError)
    expect(broker.sessions.size).toBe(0)
  })
})

describe('broker.clients and broker.disconnect()', () => {
  test('lists who is there, and who is awaited', async () => {
    const { broker, port } = await bench.broker()
    const sleeper = await bench.connect(port, {
      clientId: 'sleeper',
      properties: { sessionExpiryInterval: 60 },
    })
    await sleeper.subscribe('t', 1)
    sleeper.socket.destroy()
    await sleeper.closed
    await bench.connect(port, { clientId: 'here', protocolVersion: 4, keepAlive: 30, username: 'ann' })
    broker.publish('t', 'x', { qos: 1 })
    const [first, second] = [...broker.clients].sort((a, b) => a.clientId.localeCompare(b.clientId))
    expect(first).toMatchObject({
      clientId: 'here',
      connected: true,
      protocolVersion: 4,
      keepAlive: 30,
      username: 'ann',
    })
    expect(first?.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(second).toMatchObject({
      clientId: 'sleeper',
      connected: false,
      remoteAddress: undefined,
      subscriptions: 1,
      queuedMessages: 1,
      sessionExpiryInterval: 60,
    })
  })

  test('disconnects with the code that is given', async () => {
    const { broker, port } = await bench.broker()
    const first = await bench.connect(port, { clientId: 'a' })
    const second = await bench.connect(port, { clientId: 'b' })
    expect(broker.disconnect('a')).toBe(true)
    expect((await first.receive('DISCONNECT')).reasonCode).toBe(0x98)
    expect(broker.disconnect('b', 0x89)).toBe(true)
    expect((await second.receive('DISCONNECT')).reasonCode).toBe(0x89)
    expect(broker.disconnect('c')).toBe(false)
  })
})
