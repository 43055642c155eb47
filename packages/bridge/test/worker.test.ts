import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  createApi,
  type Engine,
  EngineUnavailableError,
  type NewCommand,
  Worker,
  type WorkerOptions,
} from '@pipit/bridge'
import { connect, type Message, type NodeClientOptions } from '@pipit/client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { command, newBroker, newEngine, newFolder, over, until } from './scene.ts'

function newWorker(options: WorkerOptions): Worker {
  const worker = new Worker(options)
  onTestFinished(() => worker.stop())
  worker.start()
  return worker
}

async function subscriber(url: string, filter: string, options: NodeClientOptions = {}): Promise<Message[]> {
  const client = await connect(url, options)
  onTestFinished(() => client.close())
  const received: Message[] = []
  client.onMessage((message) => received.push(message))
  await client.subscribe(filter, { qos: 2 })
  return received
}

describe('Worker', () => {
  test('publishes commands of QoS 1 and 2 and keeps the acknowledgement', async () => {
    const { url } = await newBroker()
    const engine = newEngine()
    const received = await subscriber(url, 'a/#')
    newWorker({ engine, broker: { url } })
    const properties = { contentType: 'text/x', userProperties: [['k', 'v']] } as const
    const commands = [
      command({ payload: Buffer.from('one'), properties }),
      command({ topic: 'a/c', qos: 2, retain: true, payload: Buffer.from('two') }),
      command({ topic: 'nobody/there' }),
    ]
    await engine.commands.add(commands)
    const [one, two, three] = await Promise.all(commands.map(({ id }) => over(engine, id)))
    expect(one).toMatchObject({ state: 'acknowledged', reasonCode: 0, attempts: 1 })
    expect(two).toMatchObject({ state: 'acknowledged', reasonCode: 0 })
    expect(three).toMatchObject({
      state: 'acknowledged',
      reasonCode: 0x10,
      reason: 'No matching subscribers',
    })
    await until(() => received.length === 2)
    const byTopic = new Map(received.map((each) => [each.topic, each]))
    expect(byTopic.get('a/b')?.text()).toBe('one')
    expect(byTopic.get('a/b')?.properties).toMatchObject({
      contentType: 'text/x',
      userProperties: [
        ['k', 'v'],
        ['pipit-id', commands[0]?.id],
      ],
    })
    expect(byTopic.get('a/c')?.qos).toBe(2)
  })

  test('leaves nothing of a command in its session once the command is over', async () => {
    const { url } = await newBroker()
    const folder = newFolder()
    const engine = newEngine(folder)
    newWorker({ engine, broker: { url } })
    const commands = Array.from({ length: 300 }, (_, i) => command({ qos: i % 2 === 0 ? 1 : 2 }))
    for (const each of commands) await engine.commands.add([each])
    for (const { id } of commands) await over(engine, id)
    const db = new DatabaseSync(join(folder, 'bridge.db'), { readOnly: true, timeout: 5_000 })
    onTestFinished(() => db.close())
    const keys = "SELECT count(*) AS n FROM session_records WHERE session LIKE 'publisher-%' AND key <> 'c'"
    // What the last of them wrote may still be on its way.
    await until(() => db.prepare(keys).get()?.['n'] === 0)
  })

  test('sends what waited for its time, and never what has expired', async () => {
    const { url, process: broker } = await newBroker()
    const engine = newEngine()
    const received = await subscriber(url, 'a/#')
    const now = Date.now()
    const later = command({ notBefore: now + 300, payload: Buffer.from('later') })
    const expired = command({ expiresAt: now - 1 })
    await engine.commands.add([expired, later])
    newWorker({ engine, broker: { url } })
    await over(engine, later.id)
    expect(Date.now()).toBeGreaterThanOrEqual(now + 300)
    expect((await over(engine, expired.id)).state).toBe('expired')
    await until(() => received.length > 0)
    expect(received.map((each) => each.text())).toEqual(['later'])
    expect(broker.pid).toBeGreaterThan(0)
  })

  test('keeps the order of commands of one key', async () => {
    const { url } = await newBroker()
    const engine = newEngine()
    const received = await subscriber(url, 'a/#')
    newWorker({ engine, broker: { url } })
    newWorker({ engine, broker: { url } })
    const commands = Array.from({ length: 30 }, (_, i) =>
      command({ orderKey: 'k', payload: Buffer.from(String(i)), qos: i % 2 === 0 ? 1 : 2 }),
    )
    await engine.commands.add(commands)
    for (const { id } of commands) expect((await over(engine, id)).state).toBe('acknowledged')
    await until(() => received.length >= 30)
    expect(received.map((each) => each.text())).toEqual(commands.map((_, i) => String(i)))
  })

  test.each(['5.0', '3.1.1'] as const)(
    'two workers store each message once, over MQTT %s',
    async (version) => {
      const { url } = await newBroker()
      const engine = newEngine()
      const broker = { url, client: { version } }
      const workers = [newWorker({ engine, broker }), newWorker({ engine, broker })]
      const client = await connect(url)
      onTestFinished(() => client.close())
      // Until the first of them listens.
      await until(async () => {
        await client.publish('begin', 'x', { qos: 1 })
        return (await engine.messages.last('begin')) !== undefined
      })
      const properties = { contentType: 'a/b', userProperties: [['k', 'v'] as const] }
      for (let i = 0; i < 200; i++) {
        await client.publish(`n/${i}`, String(i), { qos: i % 2 === 0 ? 1 : 2, properties })
      }
      await until(async () => (await engine.messages.last('n/199')) !== undefined)
      const { messages } = await until(async () => {
        const page = await engine.messages.read({ filter: 'n/+', limit: 1000 })
        return page.messages.length >= 200 && page
      })
      expect(messages.map(({ topic }) => topic).sort()).toEqual(
        Array.from({ length: 200 }, (_, i) => `n/${i}`).sort(),
      )
      expect(messages[0]?.properties).toEqual(version === '5.0' ? properties : undefined)
      await Promise.all(workers.map((worker) => worker.stop()))
      // What comes while nobody is there waits in the sessions.
      await client.publish('n/late', 'x', { qos: 2 })
      newWorker({ engine, broker })
      await until(async () => (await engine.messages.last('n/late')) !== undefined)
    },
  )

  test('what a worker without its leases had begun another goes on with, and nothing is sent twice', async () => {
    const { url } = await newBroker()
    const engine = newEngine()
    const received = await subscriber(url, 'a/#')
    // Its leases run out, though it lives and works.
    const sessions = { ...engine.sessions, extend: () => Promise.reject(new EngineUnavailableError('away')) }
    const cutOff: Engine = Object.create(engine, { sessions: { value: sessions } })
    newWorker({ engine: cutOff, broker: { url }, leaseMs: 500 })
    const commands: NewCommand[] = []
    const add = async (): Promise<void> => {
      const one = command({ qos: 2, payload: Buffer.from(String(commands.length)) })
      commands.push(one)
      await engine.commands.add([one])
    }
    for (let i = 0; i < 20; i++) await add()
    await over(engine, commands[0]?.id ?? '')
    newWorker({ engine, broker: { url }, leaseMs: 500 })
    // Both at work, while sessions go from the one to the other.
    const until_ = Date.now() + 3_000
    while (Date.now() < until_) {
      await add()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (const { id } of commands) expect((await over(engine, id)).state).toBe('acknowledged')
    await until(() => received.length >= commands.length)
    const texts = received.map((each) => each.text())
    expect(texts.sort()).toEqual(commands.map((_, i) => String(i)).sort())
  }, 120_000)

  test('a message with an id is stored once, however often it comes', async () => {
    const { url } = await newBroker()
    const engine = newEngine()
    newWorker({ engine, broker: { url } })
    const client = await connect(url)
    onTestFinished(() => client.close())
    await until(async () => {
      await client.publish('begin', 'x', { qos: 1 })
      return (await engine.messages.last('begin')) !== undefined
    })
    const properties = { userProperties: [['pipit-id', '1'] as const] }
    for (const topic of ['t', 't', 'u']) await client.publish(topic, 'x', { qos: 1, properties })
    await client.publish('end', 'x', { qos: 1 })
    await until(async () => (await engine.messages.last('end')) !== undefined)
    expect((await engine.messages.read({ filter: 't', limit: 10 })).messages).toHaveLength(1)
    expect((await engine.messages.read({ filter: 'u', limit: 10 })).messages).toHaveLength(1)
  })

  test('sets a command aside that the broker does not take', async () => {
    const { url } = await newBroker()
    const engine = newEngine()
    newWorker({ engine, broker: { url } })
    const bad = command({ topic: '$SYS/mine' })
    const large = command({ payload: new Uint8Array(300_000_000 / 1000), topic: 'a/large' })
    await engine.commands.add([bad, large])
    expect((await over(engine, large.id)).state).toBe('acknowledged')
    const { state, reason } = await over(engine, bad.id)
    expect([state, reason]).toEqual(['failed', expect.stringContaining('Not authorized')])
  })

  test('refuses filters of which one message would be stored twice', () => {
    const engine = newEngine()
    const listen = ['a/+', 'b', 'a/b']
    expect(() => new Worker({ engine, broker: { url: 'mqtt://x' }, listen })).toThrow('a/+ and a/b overlap')
  })
})

describe('/ready', () => {
  test('says who works, and who of them has a connection to the broker', async () => {
    const { url, process: broker } = await newBroker()
    const engine = newEngine()
    const api = await createApi({ engine })
    onTestFinished(() => api.close())
    const ready = async () => (await api.inject({ url: '/ready' })).json()
    expect(await ready()).toEqual({ status: 'ready', messages: 'ok', workers: { alive: 0, connected: 0 } })
    const worker = newWorker({ engine, broker: { url } })
    await until(async () => (await ready()).workers.connected === 1)
    const { body } = await api.inject({ url: '/metrics' })
    expect(body).toContain('pipit_bridge_workers{state="connected"} 1\n')
    expect(body).toMatch(/pipit_bridge_worker_stored_total\{worker="\S+"\} 0\n/)
    await broker.kill()
    await until(async () => (await ready()).workers.connected === 0)
    expect((await ready()).workers.alive).toBe(1)
    await worker.stop()
    expect((await ready()).workers.alive).toBe(0)
  })
})
