import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  compareCursors,
  createApi,
  type Engine,
  type Lease,
  LeaseLostError,
  type NewMessage,
  openEngine,
  PostgresLog,
  Worker,
} from '@pipit/bridge'
import { connect } from '@pipit/client'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type BrokerProcess, freePort } from '../../../tools/torture/brokers.ts'
import { hasPostgres, PostgresServer } from '../../../tools/torture/postgres.ts'
import { redisProcess, redisPrograms } from '../../../tools/torture/redis.ts'
import { engineContract } from './engine-contract.ts'
import { command, newBroker, until } from './scene.ts'

const NOW = 1_700_000_000_000
const LEASE = { owner: 'test', now: NOW, leaseMs: 1e9 }

describe.skipIf(!hasPostgres)('with PostgreSQL', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-test-'))
  let server: PostgresServer
  let schemas = 0
  beforeAll(async () => {
    server = await PostgresServer.create()
  }, 120_000)
  afterAll(async () => {
    await server.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  function newSchema(): string {
    return `schema=s${++schemas}`
  }

  function newLog(query = newSchema(), log?: (line: string) => void): PostgresLog {
    const made = new PostgresLog({ address: server.address(query), log })
    onTestFinished(() => made.close())
    return made
  }

  async function newClient(): Promise<Client> {
    const client = new Client({ connectionString: server.address() })
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }

  async function listener(log: Pick<Engine, 'sessions'>): Promise<Lease> {
    const lease = await log.sessions.acquire('listener', LEASE)
    if (lease === undefined) throw new Error('no session was to be had')
    return lease
  }

  engineContract('SQLite and PostgreSQL', {
    async share() {
      const queue = join(folder, `${schemas}`, 'bridge.db')
      const database = server.address(newSchema())
      return async () => openEngine({ queue, database })
    },
  })

  describe.skipIf(redisPrograms.length === 0)('and Redis', () => {
    let redis: BrokerProcess
    beforeAll(async () => {
      const data = join(folder, 'redis')
      mkdirSync(data)
      redis = redisProcess(await freePort(), data)
      await redis.start()
    })
    afterAll(() => redis.kill())

    engineContract('Redis and PostgreSQL', {
      async share() {
        const queue = `redis://127.0.0.1:${redis.port}?name=s${schemas}`
        const database = server.address(newSchema())
        return async () => openEngine({ queue, database })
      },
    })
  })

  describe('the log of messages', () => {
    test('topics and ids longer than an index takes are kept, with wildcards of LIKE in them', async () => {
      const log = newLog()
      const lease = await listener(log)
      const long = `a%_\\/${'ü'.repeat(20_000)}`
      const messages = [message(long), message(long), { ...message('a%_\\/b'), uniqueId: long }]
      expect(await log.messages.append(lease, messages, [])).toBe(3)
      expect((await log.messages.last(long))?.cursor).toBe('2')
      expect((await read(log, 'a%_\\/+')).map(({ cursor }) => cursor)).toEqual(['1', '2', '3'])
      expect(await read(log, 'a__\\/+')).toEqual([])
      expect(await read(log, `${'+/'.repeat(10_000)}b`)).toEqual([])
    })

    test('a page holds no more than it should of large payloads, and goes on behind them', async () => {
      const log = newLog()
      const lease = await listener(log)
      const large = Array.from({ length: 5 }, (_, n) => message(`t/${n}`, Buffer.alloc(3_000_000, n)))
      await log.messages.append(lease, large, [])
      const first = await log.messages.read({ limit: 100 })
      expect([first.messages.length, first.atEnd]).toEqual([3, false])
      const second = await log.messages.read({ limit: 100, after: first.next })
      expect(second.messages.map(({ topic }) => topic)).toEqual(['t/3', 't/4'])
      expect(second.atEnd).toBe(true)
    })

    test('no reader passes by a message that is committed later', async () => {
      const query = newSchema()
      const logs = [1, 2, 3, 4].map(() => newLog(query))
      const reader = newLog(query)
      const writing = logs.map(async (log, i) => {
        const lease = await listener(log)
        for (let n = 0; n < 40; n++) {
          await log.messages.append(lease, [message(`${i}/${n}`), message(`${i}/${n}b`)], [])
        }
      })
      let isOver = false
      const all = Promise.all(writing).then(() => (isOver = true))
      const seen: number[] = []
      for (let after: string | undefined; ; ) {
        const wasOver = isOver
        const page = await reader.messages.read({ after, limit: 7 })
        seen.push(...page.messages.map(({ cursor }) => Number(cursor)))
        after = page.next
        if (wasOver && page.atEnd) break
      }
      await all
      expect(seen).toEqual(Array.from({ length: 320 }, (_, n) => n + 1))
    })

    test('who takes a session over waits for what is being written under it, and sees it', async () => {
      const query = newSchema()
      const [old, next] = [newLog(query), newLog(query)]
      const lease = await listener(old)
      const [client, watcher] = [await newClient(), await newClient()]
      const waiting = async (): Promise<number> =>
        (await watcher.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'transactionid'")).rows.length
      // Holds the append up behind its look at the lease.
      await client.query(`BEGIN; SELECT last FROM ${query.slice(7)}.log FOR UPDATE`)
      const appending = old.messages.append(lease, [message('t')], [{ key: 'r1', value: Buffer.alloc(0) }])
      await until(async () => (await waiting()) > 0)
      const taking = next.sessions.acquire('listener', { owner: 'next', now: NOW + 1e9, leaseMs: 1 })
      await until(async () => (await waiting()) > 1)
      await client.query('COMMIT')
      expect(await appending).toBe(1)
      const taken = await taking
      expect(taken?.session).toBe(lease.session)
      expect((await next.sessions.records(taken ?? lease)).map(({ key }) => key)).toEqual(['r1'])
      await expect(old.messages.append(lease, [message('t')], [])).rejects.toThrow(LeaseLostError)
    })

    test('trim() takes more away than one transaction would', async () => {
      const log = newLog()
      const lease = await listener(log)
      for (let i = 0; i < 25; i++) {
        await log.messages.append(
          lease,
          Array.from({ length: 1_000 }, () => message('t')),
          [],
        )
      }
      await log.messages.append(lease, [message('u')], [])
      expect(await log.messages.trim({ maximumMessages: 1 })).toBe(24_999)
      expect((await log.messages.read({ limit: 10 })).messages.map(({ cursor }) => cursor)).toEqual([
        '25000',
        '25001',
      ])
    })
  })

  describe('an append of which it is not known whether it was committed', () => {
    test.each([
      ['before', 0],
      ['behind', 1],
    ])('is stored once when it is tried again, with the connection lost %s the commit', async (_, stored) => {
      const query = newSchema()
      const middleman = await Middleman.create(server.port)
      const log = new PostgresLog({ address: middleman.address(query) })
      onTestFinished(() => log.close())
      const lease = await listener(log)
      const messages = [message('a'), message('b')]
      const changes = [{ key: 'r1', value: Buffer.alloc(0) }]
      middleman.cut = stored === 0 ? 'request' : 'answer'
      await expect(log.messages.append(lease, messages, changes)).rejects.toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
      })
      const direct = newLog(query)
      expect(await direct.messages.end()).toBe(String(stored * 2))
      expect(await log.messages.append(lease, messages, changes)).toBe(2)
      expect((await read(direct, '#')).map(({ topic }) => topic)).toEqual(['a', 'b'])
      expect((await direct.sessions.records(lease)).map(({ key }) => key)).toEqual(['r1'])
      // What comes anew is new, even if it looks the same.
      expect(await log.messages.append(lease, [...messages], [])).toBe(2)
    })
  })

  test('a process that stops in the middle of an append does not hold up the others for long', async () => {
    const query = newSchema()
    const middleman = await Middleman.create(server.port)
    const stopped = new PostgresLog({ address: middleman.address(query) })
    onTestFinished(() => stopped.close())
    const other = newLog(query)
    const [lease, its] = [await listener(stopped), await listener(other)]
    middleman.cut = 'stall'
    const stalled = stopped.messages.append(lease, [message('a')], []).catch((error: unknown) => error)
    await until(() => middleman.cut === undefined)
    expect(await other.messages.append(its, [message('b')], [])).toBe(1)
    expect(await stalled).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    expect((await read(other, '#')).map(({ topic }) => topic)).toEqual(['b'])
  })

  test('a worker that is stopped while the database is away leaves with the broker what it could not store', async () => {
    const { url } = await newBroker()
    const options = { queue: join(folder, 'stopped', 'bridge.db'), database: server.address(newSchema()) }
    const engine = openEngine(options)
    onTestFinished(() => engine.close())
    const client = await connect(url)
    onTestFinished(() => client.close())
    const worker = new Worker({ engine, broker: { url }, leaseMs: 1_000 })
    worker.start()
    onTestFinished(() => worker.stop())
    await until(async () => {
      await client.publish('a', 'begin', { qos: 1 })
      return (await engine.messages.last('a')) !== undefined
    })
    await server.stop('SIGINT')
    await client.publish('a', 'meanwhile', { qos: 2 })
    await worker.stop()
    await server.start()
    const next = new Worker({ engine, broker: { url } })
    next.start()
    onTestFinished(() => next.stop())
    await until(async () =>
      Buffer.from((await engine.messages.last('a'))?.payload ?? []).equals(Buffer.from('meanwhile')),
    )
    const { messages } = await engine.messages.read({ limit: 1000 })
    expect(
      messages.filter(({ payload }) => Buffer.from(payload).equals(Buffer.from('meanwhile'))),
    ).toHaveLength(1)
  })

  describe('a restart', () => {
    test.each(['SIGINT', 'SIGKILL'] as const)(
      'by %s under load loses nothing and stores nothing twice',
      async (signal) => {
        const log = newLog()
        const lease = await listener(log)
        const heard: string[] = []
        let number = 0
        let isOver = false
        let isLeft = false
        onTestFinished(() => {
          isOver = isLeft = true
        })
        const writers = [1, 2, 3].map(async () => {
          while (!isOver) {
            const messages = [message(`t/${number++}`), message(`t/${number++}`)]
            for (let isStored = false; !isStored && !isLeft; await turn()) {
              isStored = await log.messages.append(lease, messages, []).then(
                () => true,
                (error: { code: string }) => {
                  heard.push(error.code)
                  return false
                },
              )
            }
          }
        })
        for (let round = 0; round < 3; round++) {
          const from = number
          await until(() => number > from + 60)
          const before = heard.length
          await server.stop(signal)
          await until(() => heard.length > before)
          await server.start()
        }
        const from = number
        await until(() => number > from + 60)
        isOver = true
        await Promise.all(writers)
        expect(new Set(heard)).toEqual(new Set(['ENGINE_UNAVAILABLE']))
        const topics = await topicsOf(log)
        expect(topics.length).toBe(number)
        expect(new Set(topics).size).toBe(number)
      },
    )

    test('who waits for news hears them again afterwards', async () => {
      const query = newSchema()
      const [teller, hearer] = [newLog(query), newLog(query)]
      const lease = await listener(teller)
      let heard = 0
      hearer.onChange(() => heard++)
      await until(() => heard > 0)
      await server.stop('SIGKILL')
      await server.start()
      // Once when it is connected again, and with each message then.
      for (let from = heard; heard < from + 5; ) {
        const before = heard
        await teller.messages.append(lease, [message('t')], []).catch(() => {})
        if (heard === before) await turn()
      }
    })

    test('commands are taken while the database is away; messages are 503', async () => {
      const queue = join(folder, 'away', 'bridge.db')
      const engine = openEngine({ queue, database: server.address(newSchema()) })
      onTestFinished(() => engine.close())
      const api = await createApi({ engine })
      onTestFinished(() => api.close())
      expect((await api.inject({ url: '/ready' })).json()).toMatchObject({ messages: 'ok' })
      await server.stop('SIGINT')
      onTestFinished(() => server.start())
      const asked = await api.inject({ url: '/v1/messages' })
      expect([asked.statusCode, asked.headers['retry-after']]).toEqual([503, '1'])
      expect(asked.json().detail).toMatch(/^the database: /)
      const taken = await api.inject({ method: 'POST', url: '/v1/commands', payload: { topic: 'a' } })
      expect(taken.statusCode).toBe(202)
      expect((await api.inject({ url: '/ready' })).json()).toMatchObject({ messages: 'unavailable' })
      expect((await api.inject({ url: '/metrics' })).body).toContain('pipit_bridge_messages_up 0\n')
    })
  })

  describe('the server', () => {
    test('that commits without waiting for its disk is asked to wait', async () => {
      const client = await newClient()
      const query = newSchema()
      await client.query('ALTER ROLE pipit SET synchronous_commit = off')
      onTestFinished(async () => void (await client.query('ALTER ROLE pipit RESET synchronous_commit')))
      const log = newLog(query)
      const lease = await listener(log)
      await client.query(`CREATE TABLE ${query.slice(7)}.seen (setting text);
        CREATE FUNCTION ${query.slice(7)}.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
        CREATE TRIGGER see AFTER INSERT ON ${query.slice(7)}.messages
          EXECUTE FUNCTION ${query.slice(7)}.see()`)
      await log.messages.append(lease, [message('t')], [])
      const { rows } = await client.query(`SELECT setting FROM ${query.slice(7)}.seen`)
      expect(rows).toEqual([{ setting: 'on' }])
    })

    test('with a later layout is refused, and says so', async () => {
      const query = newSchema()
      await newLog(query).messages.end()
      const client = await newClient()
      await client.query(`UPDATE ${query.slice(7)}.layout SET version = 99`)
      await expect(newLog(query).messages.end()).rejects.toMatchObject({
        code: 'ENGINE_UNSUITABLE',
        message: expect.stringMatching(/layout 99; this program knows up to \d+: use a newer one/),
      })
    })

    test('is prepared once by many who come at the same time', async () => {
      const query = newSchema()
      const logs = Array.from({ length: 6 }, () => newLog(query))
      expect(await Promise.all(logs.map((log) => log.messages.end()))).toEqual(logs.map(() => '0'))
    })

    test('with a database of another encoding is refused', async () => {
      const client = await newClient()
      await client.query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
      const log = new PostgresLog({ address: server.address().replace('/postgres', '/latin') })
      onTestFinished(() => log.close())
      await expect(log.messages.end()).rejects.toThrow('its encoding is LATIN1')
    })

    test('that says nothing is given up', async () => {
      const sockets: Socket[] = []
      const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
      await new Promise((resolve) => silent.once('listening', resolve))
      onTestFinished(() => {
        for (const socket of sockets) socket.destroy()
        silent.close()
      })
      const { port } = silent.address() as { port: number }
      const log = new PostgresLog({ address: `postgres://u:s3cret@127.0.0.1:${port}/x` })
      onTestFinished(() => log.close())
      await expect(log.messages.end()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    })

    test('is told no password to repeat, whatever is wrong with the address', async () => {
      for (const wrong of ['s3c/ret', 's3c?ret', '12/s3cret', 's3cret%', '12?s3cret', '12#s3cret']) {
        const address = `postgres://user:${wrong}@127.0.0.1:1/name`
        const make = (): Engine => openEngine({ queue: join(folder, 'x.db'), database: address })
        expect(make, wrong).toThrow(TypeError)
        expect(make, wrong).toThrow(/^(?!.*s3c)database: the address is not right; it takes postgres:/)
      }
      expect(() => openEngine({ queue: 'x', database: 'mysql://u:s3cret@h/d' })).toThrow(
        /^(?!.*s3c)database: mysql:\/\/ is none/,
      )
      expect(() => new PostgresLog({ address: server.address('schema=X;') })).toThrow('schema is no name')
      const refused = new PostgresLog({ address: 'postgres://user:s3c%40ret@127.0.0.1:1/name' })
      onTestFinished(() => refused.close())
      const error = await refused.messages.end().catch((fault: Error) => fault)
      expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
      expect(String((error as Error).stack) + JSON.stringify(error)).not.toContain('s3c')
    })
  })

  test('close() settles when what was begun is over; then everything is refused', async () => {
    const log = newLog()
    const lease = await listener(log)
    const begun = Array.from({ length: 20 }, (_, n) => log.messages.append(lease, [message(`${n}`)], []))
    await log.close()
    expect(await Promise.all(begun)).toEqual(begun.map(() => 1))
    await expect(log.messages.end()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  })

  test('commands stay in the queue, messages do not come into it', async () => {
    const queue = join(folder, 'apart', 'bridge.db')
    const engine = openEngine({ queue, database: server.address(newSchema()) })
    await engine.commands.add([command({ id: 'c1' })])
    await engine.messages.append(await listener(engine), [message('t')], [])
    await engine.close()
    const alone = openEngine({ queue })
    onTestFinished(() => alone.close())
    expect((await alone.commands.find('c1', NOW))?.state).toBe('queued')
    expect(await alone.messages.end()).toBe('0')
    expect(compareCursors(await newLog(`schema=s${schemas}`).messages.end(), '1')).toBe(0)
  })
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function message(topic: string, payload: Uint8Array = Uint8Array.of(1)): NewMessage {
  return { topic, payload, qos: 1, retain: false, receivedAt: NOW }
}

async function read(log: Pick<Engine, 'messages'>, filter: string) {
  return (await log.messages.read({ filter, limit: 1000 })).messages
}

async function topicsOf(log: Pick<Engine, 'messages'>): Promise<string[]> {
  const topics: string[] = []
  for (let after: string | undefined, atEnd = false; !atEnd; ) {
    const page = await log.messages.read({ after, limit: 1000 })
    topics.push(...page.messages.map(({ topic }) => topic))
    after = page.next
    atEnd = page.atEnd
  }
  return topics
}

/** Stands between, and cuts one connection at its next commit: in front of it, or behind it. */
class Middleman {
  cut: 'request' | 'answer' | 'stall' | undefined = undefined
  readonly port: number

  private constructor(port: number) {
    this.port = port
  }

  static async create(to: number): Promise<Middleman> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const middleman = new Middleman((server.address() as { port: number }).port)
    server.on('connection', (socket) => middleman.join(socket, to))
    return middleman
  }

  address(query: string): string {
    return `postgres://pipit:s3cret@127.0.0.1:${this.port}/postgres?${query}`
  }

  private join(near: Socket, to: number): void {
    const far = dial(to, '127.0.0.1')
    let isCommitting = false
    const end = (): void => {
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) {
      socket.on('error', () => {})
      socket.on('close', end)
    }
    near.on('data', (bytes) => {
      isCommitting = this.cut !== undefined && bytes.includes('COMMIT\0')
      if (isCommitting && this.cut === 'request') {
        this.cut = undefined
        end()
      } else if (isCommitting && this.cut === 'stall') this.cut = undefined
      else far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (isCommitting && this.cut === 'answer') {
        this.cut = undefined
        end()
      } else near.write(bytes)
    })
  }
}
