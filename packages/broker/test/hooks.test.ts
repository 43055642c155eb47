import type { BrokerOptions, HookMessage } from '@pipit/broker'
import { afterEach, describe, expect, test } from 'vitest'
import { Bench, text } from './wire.ts'

const bench = new Bench()
afterEach(() => bench.end())

/** Answers at once, and later: every hook may do either. */
const later = <T>(answer: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(answer)))
const WAYS = [
  ['at once', <T>(answer: T): T => answer],
  ['later', later],
] as const

/** A logger that keeps the names of the hooks that failed. */
function failures(): { logger: NonNullable<BrokerOptions['logger']>; hooks: string[] } {
  const hooks: string[] = []
  const error = (data: object, message: string): void => {
    if (message === 'hook failed') hooks.push((data as { hook: string }).hook)
  }
  return { logger: { info: () => undefined, warn: () => undefined, error }, hooks }
}

describe.each(WAYS)('hooks that answer %s', (_way, answer) => {
  test('authenticate and onConnect: the client is let in, and packets sent in advance keep their order', async () => {
    const seen: unknown[] = []
    const { port } = await bench.broker({
      authenticate: ({ username }) => answer(username === 'ann'),
      onConnect: (client) => {
        seen.push([client.clientId, client.username, client.remoteAddress?.startsWith('127.0.0.1:')])
        return answer(undefined)
      },
    })
    const wire = await bench.open(port)
    wire.send(
      { type: 'CONNECT', protocolVersion: 5, clientId: 'a', cleanStart: true, keepAlive: 0, username: 'ann' },
      { type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 't', qos: 0 }] },
      { type: 'PINGREQ' },
    )
    expect((await wire.receive('CONNACK')).reasonCode).toBe(0)
    await wire.receive('SUBACK')
    await wire.receive('PINGRESP')
    expect(seen).toEqual([['a', 'ann', true]])
  })

  test('onConnect refuses with its code, before an older session is touched', async () => {
    let isOpen = true
    const { port } = await bench.broker({
      onConnect: () => answer(isOpen ? undefined : { reasonCode: 0x8a }),
    })
    const first = await bench.connect(port)
    isOpen = false
    const second = await bench.open(port)
    expect((await second.hello()).reasonCode).toBe(0x8a)
    await second.closed
    await first.settles()
  })

  test('authorize is asked once for a connection and topic', async () => {
    const asked: string[] = []
    const { port } = await bench.broker({
      authorize: (_client, access, topic) => {
        asked.push(`${access} ${topic}`)
        return access === 'receive' || answer(topic !== 'secret')
      },
    })
    const wire = await bench.connect(port)
    expect((await wire.subscribe('secret')).reasonCodes).toEqual([0x87])
    expect((await wire.subscribe('open/#', 1)).reasonCodes).toEqual([1])
    for (const properties of [undefined, { contentType: 'x' }, undefined]) {
      wire.publish('open/a', 'one', { qos: 1, properties })
      const { packetId } = await wire.receive('PUBLISH')
      expect((await wire.receive('PUBACK')).reasonCode).toBe(0)
      wire.send({ type: 'PUBACK', packetId, reasonCode: 0 })
    }
    wire.publish('secret', 'no', { qos: 1 })
    expect((await wire.receive('PUBACK')).reasonCode).toBe(0x87)
    wire.publish('secret', 'no', { qos: 2 })
    expect((await wire.receive('PUBREC')).reasonCode).toBe(0x87)
    wire.publish('secret', 'no')
    await wire.settles()
    expect(asked).toEqual([
      'subscribe secret',
      'subscribe open/#',
      'receive open/a',
      'publish open/a',
      'publish secret',
    ])
  })

  test('onSubscribe grants less, or refuses; other filters of the packet are not touched', async () => {
    const { port } = await bench.broker({
      onSubscribe: (_client, { topicFilter }) => {
        if (topicFilter === 'low') return answer({ qos: 0 as const })
        return answer(topicFilter === 'no' ? { reasonCode: 0x9e as const } : undefined)
      },
    })
    const wire = await bench.connect(port)
    const filters = ['yes', 'low', 'no']
    const subscriptions = filters.map((topicFilter) => ({ topicFilter, qos: 2 as const }))
    wire.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions })
    expect((await wire.receive('SUBACK')).reasonCodes).toEqual([2, 0, 0x9e])
  })

  test('onPublish changes, drops and refuses; order is kept', async () => {
    const { broker, port } = await bench.broker({
      onPublish: ({ clientId }, { topic, payload, qos }) => {
        if (topic === 'drop') return answer('drop' as const)
        if (topic === 'refuse') return answer({ reasonCode: 0x99 as const })
        if (topic !== 'change') return answer(undefined)
        const properties = { contentType: 'text/plain' }
        return answer({ topic: 'changed', payload: `${clientId} ${qos} ${payload.length}`, properties })
      },
    })
    const wire = await bench.connect(port, { clientId: 'p' })
    await wire.subscribe('#')
    wire.publish('change', 'abc')
    wire.publish('plain', '1')
    wire.publish('drop', '2', { qos: 1 })
    wire.publish('refuse', '3', { qos: 1 })
    wire.publish('refuse', '3', { qos: 2 })
    wire.publish('refuse', '3')
    const changed = await wire.receive('PUBLISH')
    expect([changed.topic, text(changed.payload)]).toEqual(['changed', 'p 0 3'])
    expect(changed.properties).toEqual({ contentType: 'text/plain' })
    expect((await wire.receive('PUBLISH')).topic).toBe('plain')
    expect((await wire.receive('PUBACK')).reasonCode).toBe(0)
    expect((await wire.receive('PUBACK')).reasonCode).toBe(0x99)
    expect((await wire.receive('PUBREC')).reasonCode).toBe(0x99)
    await wire.settles()
    expect(broker.ledger.totals.get('refused by hook')).toBe(4)
  })

  test('onPublish sees a QoS 2 message once, and what it changed is released', async () => {
    let asked = 0
    const { port } = await bench.broker({
      onPublish: () => {
        asked++
        return answer({ payload: 'changed' })
      },
    })
    const wire = await bench.connect(port)
    await wire.subscribe('t')
    wire.publish('t', 'x', { qos: 2 })
    await wire.receive('PUBREC')
    wire.publish('t', 'x', { qos: 2, dup: true })
    await wire.receive('PUBREC')
    wire.send({ type: 'PUBREL', packetId: 1, reasonCode: 0 })
    expect(text((await wire.receive('PUBLISH')).payload)).toBe('changed')
    await wire.receive('PUBCOMP')
    expect(asked).toBe(1)
  })

  test('a will passes onPublish too', async () => {
    const { port } = await bench.broker({
      onPublish: (client, { topic }) =>
        answer(topic === 'will' && client.remoteAddress === undefined ? { payload: 'seen' } : undefined),
    })
    const wire = await bench.connect(port, { clientId: 'watcher' })
    await wire.subscribe('will')
    const will = { topic: 'will', payload: Buffer.from('x'), qos: 0 as const, retain: false }
    const mortal = await bench.connect(port, { clientId: 'mortal', will })
    mortal.socket.destroy()
    expect(text((await wire.receive('PUBLISH')).payload)).toBe('seen')
  })
})

describe('hooks', () => {
  test.each([3, 4] as const)(
    'a refused publish of version %i is acknowledged all the same',
    async (version) => {
      const { port } = await bench.broker({ onPublish: () => ({ reasonCode: 0x87 }) })
      const wire = await bench.connect(port, { protocolVersion: version, clientId: 'v3' })
      wire.publish('t', 'x', { qos: 1 })
      await wire.receive('PUBACK')
      wire.publish('t', 'x', { qos: 2, packetId: 2 })
      await wire.receive('PUBREC')
      wire.send({ type: 'PUBREL', packetId: 2, reasonCode: 0 })
      await wire.receive('PUBCOMP')
    },
  )

  test('onDisconnect says who left and why; onDelivered what arrived, by QoS', async () => {
    const gone: string[] = []
    const delivered: string[] = []
    let left: () => void = () => undefined
    const hasLeft = new Promise<void>((resolve) => {
      left = resolve
    })
    const show = ({ topic, payload, qos }: HookMessage): string => `${topic} ${Buffer.from(payload)} ${qos}`
    const { broker, port } = await bench.broker({
      onDisconnect: (client, why) => {
        gone.push(`${client.clientId}: ${why}`)
        left()
      },
      onDelivered: ({ clientId }, message) => void delivered.push(`${clientId} ${show(message)}`),
    })
    const wire = await bench.connect(port, { clientId: 's' })
    await wire.subscribe('t', 2)
    broker.publish('t', 'zero')
    await wire.receive('PUBLISH')
    broker.publish('t', 'one', { qos: 1 })
    const one = await wire.receive('PUBLISH')
    expect(delivered).toEqual(['s t zero 0'])
    wire.send({ type: 'PUBACK', packetId: one.packetId, reasonCode: 0 })
    broker.publish('t', 'two', { qos: 2 })
    const two = await wire.receive('PUBLISH')
    wire.send({ type: 'PUBREC', packetId: two.packetId, reasonCode: 0 })
    await wire.receive('PUBREL')
    expect(delivered.length).toBe(2)
    wire.send({ type: 'PUBCOMP', packetId: two.packetId, reasonCode: 0 })
    await wire.settles()
    expect(delivered).toEqual(['s t zero 0', 's t one 1', 's t two 2'])
    wire.send({ type: 'DISCONNECT', reasonCode: 0 })
    await hasLeft
    expect(gone).toEqual(['s: disconnected by the client'])
  })

  const boom = (): never => {
    throw new Error('boom')
  }
  const rejects = (): Promise<never> => Promise.reject(new Error('boom'))

  test.each([
    ['throws', boom],
    ['rejects', rejects],
  ])('one that %s refuses what it was asked about, is logged, and ends nothing', async (_way, fail) => {
    const { logger, hooks } = failures()
    let isBroken = false
    const sometimes = (): undefined | Promise<never> => (isBroken ? fail() : undefined)
    const { port } = await bench.broker({
      logger,
      authenticate: () => sometimes() ?? true,
      onPublish: sometimes,
      onSubscribe: sometimes,
      onDelivered: sometimes,
      onDisconnect: sometimes,
    })
    const wire = await bench.connect(port, { clientId: 'a' })
    await wire.subscribe('t')
    isBroken = true
    expect((await wire.subscribe('u')).reasonCodes).toEqual([0x80])
    wire.publish('t', 'x', { qos: 1 })
    expect((await wire.receive('PUBACK')).reasonCode).toBe(0x80)
    const refused = await bench.open(port)
    expect((await refused.hello({ clientId: 'b' })).reasonCode).toBe(0x80)
    isBroken = false
    wire.publish('t', 'y')
    expect(text((await wire.receive('PUBLISH')).payload)).toBe('y')
    expect(hooks).toEqual(['onSubscribe', 'onPublish', 'authenticate'])
  })

  test('a promise for access receive is a no', async () => {
    const { logger, hooks } = failures()
    const { broker, port } = await bench.broker({ logger, authorize: () => Promise.resolve(true) })
    broker.publish('t', 'kept', { retain: true })
    const wire = await bench.connect(port)
    await wire.subscribe('t')
    await wire.settles()
    expect(hooks).toEqual(['authorize'])
  })

  test('a hook that changes a topic to a filter is refused, not believed', async () => {
    const { logger, hooks } = failures()
    const { port } = await bench.broker({ logger, onPublish: () => ({ topic: 'a/#' }) })
    const wire = await bench.connect(port)
    wire.publish('t', 'x', { qos: 1 })
    expect((await wire.receive('PUBACK')).reasonCode).toBe(0x80)
    expect(hooks).toEqual(['onPublish'])
  })
})
