import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  createApi,
  type Engine,
  EngineUnavailableError,
  type Lease,
  type NewMessage,
  openEngine,
  RedisEngine,
  Worker,
} from '@pipit/bridge'
import { connect } from '@pipit/client'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type BrokerProcess, freePort } from '../../../tools/torture/brokers.ts'
import { hasPostgres, PostgresServer } from '../../../tools/torture/postgres.ts'
import { redisProcess, redisPrograms } from '../../../tools/torture/redis.ts'
import { engineContract } from './engine-contract.ts'
import { newBetween, newRedis, newRedisEngine } from './redis-scene.ts'
import { command, newBroker, over, until } from './scene.ts'

/** Of one node, which has not met another from whom it could learn its address. */
const CLUSTER = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
const UNAVAILABLE = { code: 'ENGINE_UNAVAILABLE' }
const programs = redisPrograms.length > 0 ? redisPrograms : [{ name: 'redis-server', path: '' }]

describe.skipIf(redisPrograms.length === 0).each(programs)('with $name', ({ path }) => {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-redis-'))
  let server: BrokerProcess
  let names = 0
  beforeAll(async () => {
    server = redisProcess(await freePort(), folder, [], path)
    await server.start()
  })
  afterAll(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  engineContract('RedisEngine', {
    async share() {
      const url = `redis://127.0.0.1:${server.port}?name=contract-${++names}`
      return async () => new RedisEngine({ url, log: () => {} })
    },
  })

  describe('a Redis that is away', () => {
    test('is 503 with Retry-After; what was accepted before is sent when it is back', async () => {
      const { server: redis, url } = await newRedis([], path)
      const { url: broker } = await newBroker()
      const engine = newRedisEngine(url)
      const api = await createApi({ engine })
      onTestFinished(() => api.close())
      const post = (payload: string) =>
        api.inject({ method: 'POST', url: '/v1/commands', payload: { topic: 'a/b', payload, qos: 2 } })
      const before = await Promise.all(Array.from({ length: 20 }, (_, i) => post(String(i))))
      expect(before.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 20 }, () => 202))
      await redis.kill()
      const refused = await until(async () => {
        const answer = await post('refused')
        return answer.statusCode !== 202 && answer
      })
      expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1'])
      expect(refused.headers['content-type']).toContain('application/problem+json')
      expect((await api.inject('/ready')).statusCode).toBe(503)
      const received: string[] = []
      const client = await connect(broker)
      onTestFinished(() => client.close())
      client.onMessage((message) => received.push(message.text()))
      await client.subscribe('a/b', { qos: 2 })
      const worker = new Worker({ engine, broker: { url: broker } })
      onTestFinished(() => worker.stop())
      worker.start()
      await redis.start()
      for (const { body } of before) {
        const { id } = JSON.parse(body) as { id: string }
        await until(() => engine.commands.find(id, Date.now()).catch(() => undefined))
        expect((await over(engine, id)).state).toBe('acknowledged')
      }
      await until(() => received.length >= 20)
      expect(received.sort()).toEqual(Array.from({ length: 20 }, (_, i) => String(i)).sort())
      expect((await post('again')).statusCode).toBe(202)
    })

    test('that is killed while commands come has all that it has answered', async () => {
      const { server: redis, url } = await newRedis([], path)
      const engine = newRedisEngine(url)
      const accepted: string[] = []
      let asked = 0
      for (let round = 0; round < 3; round++) {
        let isKilled = false
        const asking = Array.from({ length: 20 }, async () => {
          while (!isKilled) {
            const one = command({ id: `c${asked++}` })
            await engine.commands.add([one]).then(
              () => accepted.push(one.id),
              () => new Promise((resolve) => setImmediate(resolve)),
            )
          }
        })
        const enough = accepted.length + 200
        await until(() => accepted.length >= enough)
        const killed = redis.kill()
        isKilled = true
        await Promise.all([killed, ...asking])
        await redis.start()
      }
      const found = await until(async () => {
        const lease = await publisher(engine).catch(() => undefined)
        return lease === undefined ? undefined : all(engine, lease)
      })
      expect(accepted.length).toBeGreaterThan(600)
      expect(accepted.filter((id) => !found.has(id))).toEqual([])
    })

    test('that says nothing is given up, and heard again when it speaks; what was stuck changes nothing', async () => {
      const { server: redis, url } = await newRedis([], path)
      const engine = newRedisEngine(url, { commandTimeoutMs: 1_000 })
      const lease = await until(() => publisher(engine).catch(() => undefined))
      const write = (value: Uint8Array | undefined): Promise<boolean> =>
        engine.sessions.write(lease, [{ key: 'm1', value }]).then(
          () => true,
          () => false,
        )
      process.kill(redis.pid, 'SIGSTOP')
      expect(await write(Uint8Array.of(1))).toBe(false)
      process.kill(redis.pid, 'SIGCONT')
      await until(() => write(undefined))
      expect(await until(() => engine.sessions.records(lease).catch(() => undefined))).toEqual([])
    })

    test('that has become a replica is used again when it is a master', async () => {
      const { url, client } = await newRedis([], path)
      const engine = newRedisEngine(url)
      await engine.check()
      await client.replicaof('127.0.0.1', await freePort())
      const message = expect.stringContaining('READONLY')
      await expect(engine.commands.add([command()])).rejects.toMatchObject({ ...UNAVAILABLE, message })
      await client.replicaof('NO', 'ONE')
      await until(() => engine.commands.add([command()]).catch(() => undefined))
    })

    test('nobody listens there, or it is no Redis: each call says so', async () => {
      const nowhere = newRedisEngine(`redis://user:hunter2@127.0.0.1:${await freePort()}`)
      const error = await nowhere.commands.counts().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(EngineUnavailableError)
      expect((error as Error).message).toMatch(
        /^the queue on redis:\/\/127.0.0.1:\d+\/0: connect ECONNREFUSED/,
      )
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2')
    })
  })

  describe('an answer that is lost', () => {
    test('of a claim: the next one gives what it had taken', async () => {
      const { server: redis, url } = await newRedis([], path)
      const other = newRedisEngine(url)
      const between = await newBetween(redis.port)
      const engine = newRedisEngine(`redis://127.0.0.1:${between.port}`)
      const lease = await publisher(engine)
      const commands = Array.from({ length: 6 }, (_, i) => command({ id: `c${i}` }))
      await engine.commands.add(commands)
      const now = Date.now()
      expect((await engine.commands.claim(lease, 2, now)).commands.map(({ id }) => id)).toEqual(['c0', 'c1'])
      between.deafen()
      const claiming = engine.commands.claim(lease, 2, now)
      claiming.catch(() => {})
      await until(async () => (await other.commands.counts()).sent === 4)
      between.cut()
      await expect(claiming).rejects.toMatchObject(UNAVAILABLE)
      const { commands: again } = await until(() =>
        engine.commands.claim(lease, 1, now).catch(() => undefined),
      )
      expect(again.map(({ id, attempts }) => [id, attempts])).toEqual([
        ['c2', 1],
        ['c3', 1],
        ['c4', 1],
      ])
      expect((await engine.commands.claim(lease, 10, now)).commands.map(({ id }) => id)).toEqual(['c5'])
    })

    test('of messages that were stored: the same batch again is stored no more', async () => {
      const { server: redis, url } = await newRedis([], path)
      const between = await newBetween(redis.port)
      const engine = newRedisEngine(`redis://127.0.0.1:${between.port}`)
      const lease = await acquire(engine, 'listener')
      expect(await engine.messages.append(lease, [message('a')], [], 1)).toBe(1)
      const other = newRedisEngine(url)
      between.deafen()
      const batch = [message('b'), message('b')]
      const appending = engine.messages.append(lease, batch, [], 2)
      appending.catch(() => {})
      await until(async () => (await other.messages.end()) === '3')
      between.cut()
      await expect(appending).rejects.toMatchObject(UNAVAILABLE)
      const stored = await until(() => engine.messages.append(lease, batch, [], 2).catch(() => undefined))
      expect(stored).toBe(2)
      expect(await engine.messages.append(lease, batch, [], 3)).toBe(2)
      const { messages } = await other.messages.read({ limit: 100 })
      expect(messages.map(({ topic }) => topic)).toEqual(['a', 'b', 'b', 'b', 'b'])
    })

    test('of a command that was added: the same call again adds it no more', async () => {
      const { server: redis, url } = await newRedis([], path)
      const between = await newBetween(redis.port)
      const engine = newRedisEngine(`redis://127.0.0.1:${between.port}`)
      // Redis knows the script from then on.
      await engine.commands.add([command()])
      const one = command()
      const other = newRedisEngine(url)
      between.deafen()
      const adding = engine.commands.add([one])
      adding.catch(() => {})
      await until(async () => (await other.commands.counts()).queued === 2)
      between.cut()
      await expect(adding).rejects.toMatchObject(UNAVAILABLE)
      await until(() => engine.commands.add([one]).catch(() => undefined))
      expect((await engine.commands.counts()).queued).toBe(2)
    })
  })

  test('scripts that Redis has forgotten are sent again', async () => {
    const { url, client } = await newRedis([], path)
    const engine = newRedisEngine(url)
    const [one, two] = [command(), command()]
    await engine.commands.add([one])
    await client.script('FLUSH')
    await engine.commands.add([two])
    await client.script('FLUSH')
    const lease = await publisher(engine)
    expect(await all(engine, lease)).toEqual(new Set([one.id, two.id]))
  })

  test('a full memory refuses what is new, lets go on what was accepted, and takes more when there is room', async () => {
    const { url, client } = await newRedis([], path)
    const engine = newRedisEngine(url)
    const lease = await publisher(engine)
    const given = Array.from({ length: 50 }, () => command({ qos: 2, payload: new Uint8Array(20_000) }))
    for (const one of given) await engine.commands.add([one])
    const accepted = given.map(({ id }) => id)
    await client.config('SET', 'maxmemory', '1mb')
    const message = expect.stringContaining('its memory is full')
    await expect(engine.commands.add([command()])).rejects.toMatchObject({ ...UNAVAILABLE, message })
    await expect(engine.check()).rejects.toMatchObject(UNAVAILABLE)
    const { commands } = await engine.commands.claim(lease, 1000, Date.now())
    expect(commands.map(({ id }) => id)).toEqual(accepted)
    const [first = ''] = accepted
    await engine.sessions.write(lease, [{ key: 'm1', value: Uint8Array.of(1), commandId: first }])
    await engine.commands.finish(lease, [{ id: first, state: 'acknowledged' }], Date.now())
    expect((await engine.commands.find(first, Date.now()))?.state).toBe('acknowledged')
    await client.config('SET', 'maxmemory', '100mb')
    expect(await engine.commands.add([command()])).toEqual({ kind: 'added' })
  })

  test('who hears no more of changes does so again', async () => {
    const { url, client } = await newRedis([], path)
    const [engine, other] = [newRedisEngine(url), newRedisEngine(url)]
    let heard = 0
    other.onChange(() => heard++)
    for (let round = 0; round < 2; round++) {
      const before = heard
      // Whether the other listens by now nobody knows: told again until it does.
      await until(() => engine.commands.add([command()]).then(() => heard > before))
      await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    }
  })

  describe('what a Redis may lose', () => {
    test('a policy that throws keys away is refused until it is another', async () => {
      const { url, client } = await newRedis(['--maxmemory-policy', 'allkeys-lru'], path)
      const said: string[] = []
      const engine = newRedisEngine(url, { log: (line) => said.push(line) })
      const message = expect.stringContaining('maxmemory-policy is allkeys-lru')
      await expect(engine.commands.add([command()])).rejects.toMatchObject({
        code: 'ENGINE_UNSUITABLE',
        message,
      })
      await client.config('SET', 'maxmemory-policy', 'noeviction')
      await until(() =>
        engine.check().then(
          () => true,
          () => false,
        ),
      )
      expect(said).toEqual([])
    })

    test.each([
      [['--appendonly', 'no'], 'appendonly is no'],
      [['--appendfsync', 'no'], 'appendfsync is no: a power cut loses'],
      [[], undefined],
    ])('%j is said: %s', async (options, words) => {
      const { url } = await newRedis(options, path)
      const said: string[] = []
      await newRedisEngine(url, { log: (line) => said.push(line) }).check()
      expect(said).toEqual(words === undefined ? [] : [expect.stringContaining(words)])
    })

    test('appendfsync everysec is waited for where Redis can say when, and said where not', async () => {
      const { url, client } = await newRedis(['--appendfsync', 'everysec'], path)
      const said: string[] = []
      const engine = newRedisEngine(url, { log: (line) => said.push(line) })
      await engine.commands.add([command()])
      const canWait = /^redis_version:(7\.[2-9]|[89]|\d\d)/m.test(await client.info('server'))
      expect(said).toEqual(canWait ? [] : [expect.stringContaining('a power cut loses the last second')])
      const stats = await client.info('commandstats')
      expect(/^cmdstat_waitaof:calls=[1-9]/m.test(stats)).toBe(canWait)
    })

    test('a user who may not ask is told what could not be checked; its password is nowhere', async () => {
      const { server: redis, client } = await newRedis([], path)
      await client.acl('SETUSER', 'bridge', 'on', '>hunter2', '~*', '&*', '+@all', '-config')
      await client.acl('SETUSER', 'mute', 'on', '>hunter2', '~*', '&*', '+@all', '-config', '-info')
      const said: string[] = []
      const address = `127.0.0.1:${redis.port}`
      await newRedisEngine(`redis://bridge:hunter2@${address}`, { log: (line) => said.push(line) }).check()
      expect(said).toEqual([
        expect.stringContaining('appendfsync could not be checked, as CONFIG is refused'),
      ])
      await newRedisEngine(`redis://mute:hunter2@${address}`, { log: (line) => said.push(line) }).check()
      expect(said.at(-1)).toContain('appendonly, appendfsync, maxmemory-policy could not be checked')
      const wrong = newRedisEngine(`redis://bridge:hunter3@${address}`, { log: (line) => said.push(line) })
      const error = await wrong.check().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('WRONGPASS') })
      expect(inspect([error, said], { depth: 9, showHidden: true })).not.toMatch(/hunter/)
    })

    test('a database that it does not have is not taken for the first', async () => {
      const { url } = await newRedis([], path)
      await expect(newRedisEngine(`${url}/99`).check()).rejects.toThrow('DB index is out of range')
    })
  })

  test('trim() forgets all that is over and all keys that have expired, however many', async () => {
    const { url, client } = await newRedis([], path)
    const engine = newRedisEngine(url)
    const lease = await publisher(engine)
    const once = { owner: 'o', digest: 'd', expiresAt: Date.now() + 1_000 }
    const given = Array.from({ length: 2_500 }, (_, i) => command({ id: `c${i}` }))
    await Promise.all(given.map((one) => engine.commands.add([one], { ...once, key: one.id })))
    const ids = await all(engine, lease)
    const outcomes = Array.from(ids, (id) => ({ id, state: 'acknowledged' as const }))
    await engine.commands.finish(lease, outcomes, Date.now())
    const later = Date.now() + 10_000
    expect(await engine.commands.trim(later, later)).toBe(2_500)
    // Sessions and counters are left.
    const left = (await client.keys('*')).map((key) => key.replace(/^\{.*\}:/, ''))
    expect(left.sort()).toEqual(['commands', 'commands-counts', 'meta', 'sessions'])
  })

  test('a page gives a few large messages at a time', async () => {
    const { url } = await newRedis([], path)
    const engine = newRedisEngine(url)
    const lease = await acquire(engine, 'listener')
    const large = { ...message('t'), payload: new Uint8Array(400_000) }
    await engine.messages.append(
      lease,
      Array.from({ length: 12 }, () => large),
      [],
    )
    const counts: number[] = []
    for (let after = '0', atEnd = false; !atEnd; ) {
      const page = await engine.messages.read({ filter: '+', after, limit: 100 })
      counts.push(page.messages.length)
      after = page.next
      atEnd = page.atEnd
    }
    expect(counts.reduce((sum, n) => sum + n)).toBe(12)
    expect(Math.max(...counts)).toBeLessThan(12)
  })

  test('a Redis that has lost all: who held a session before holds it no longer', async () => {
    const { url, client } = await newRedis([], path)
    const engine = newRedisEngine(url)
    const take = async (now: number): Promise<Lease> => {
      const lease = await engine.sessions.acquire('publisher', { owner: 'test', now, leaseMs: 1e9 })
      if (lease === undefined) throw new Error('no session was to be had')
      return lease
    }
    const before = await take(1_700_000_000_000)
    await client.flushall()
    const now = await take(1_700_000_000_001)
    expect(now.session).toBe(before.session)
    await expect(engine.sessions.write(before, [])).rejects.toMatchObject({ code: 'LEASE_LOST' })
    await engine.sessions.write(now, [])
  })

  test('the log stays near its bound between two trims, and what went may come again', async () => {
    const { url } = await newRedis([], path)
    const engine = newRedisEngine(url)
    const lease = await acquire(engine, 'listener')
    await engine.messages.trim({ maximumMessages: 200 })
    for (let i = 0; i < 20; i++) {
      const batch = Array.from({ length: 100 }, (_, n) => ({ ...message('t'), uniqueId: `${i} ${n}` }))
      await engine.messages.append(lease, batch, [])
    }
    const kept = await engine.messages.read({ after: '0', limit: 10_000 })
    expect([kept.gap, kept.messages.length < 500, kept.messages.length >= 200]).toEqual([true, true, true])
    expect(await engine.messages.append(lease, [{ ...message('t'), uniqueId: '0 0' }], [])).toBe(1)
    expect(await engine.messages.append(lease, [{ ...message('t'), uniqueId: '19 99' }], [])).toBe(0)
  })
})

describe.skipIf(redisPrograms.length === 0 || !hasPostgres)('with Redis and PostgreSQL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-redis-'))
  let [redis, postgres]: [BrokerProcess?, PostgresServer?] = []
  let names = 0
  beforeAll(async () => {
    redis = redisProcess(await freePort(), folder)
    await redis.start()
    postgres = await PostgresServer.create()
  })
  afterAll(async () => {
    await Promise.all([redis?.kill(), postgres?.remove()])
    rmSync(folder, { recursive: true, force: true })
  })

  engineContract('the two together', {
    async share() {
      const name = `c${++names}`
      const queue = `redis://127.0.0.1:${redis?.port}?name=${name}`
      const database = postgres?.address(`schema=${name}`)
      return async () => openEngine({ queue, database, log: () => {} })
    },
  })
})

describe.skipIf(redisPrograms.length === 0)('with a Redis Cluster', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-redis-'))
  let server: BrokerProcess
  let names = 0
  beforeAll(async () => {
    server = redisProcess(await freePort(), folder, CLUSTER)
    await server.start()
    const { Redis } = await import('ioredis')
    const client = new Redis(server.port, '127.0.0.1', { disableClientInfo: true })
    await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
    await until(async () => String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
    client.disconnect()
  })
  afterAll(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  engineContract('RedisEngine', {
    async share() {
      const url = `redis://127.0.0.1:${server.port}?cluster&name=contract-${++names}`
      return async () => new RedisEngine({ url, log: () => {} })
    },
  })

  test('that was killed is found again when it is back', async () => {
    const engine = newRedisEngine(`redis://127.0.0.1:${server.port}?cluster&name=killed`)
    const [one, two] = [command(), command()]
    await engine.commands.add([one])
    await server.kill()
    await expect(engine.commands.add([two])).rejects.toMatchObject(UNAVAILABLE)
    await server.start()
    const lease = await until(() => publisher(engine).catch(() => undefined))
    expect(await all(engine, lease)).toContain(one.id)
  })
})

async function acquire(engine: Engine, kind: 'publisher' | 'listener'): Promise<Lease> {
  const lease = await engine.sessions.acquire(kind, { owner: 'test', now: Date.now(), leaseMs: 1e9 })
  if (lease === undefined) throw new Error('no session was to be had')
  return lease
}

function publisher(engine: Engine): Promise<Lease> {
  return acquire(engine, 'publisher')
}

/** The ids of all commands that are to be had. */
async function all(engine: Engine, lease: Lease): Promise<Set<string>> {
  const ids = new Set<string>()
  for (;;) {
    const { commands } = await engine.commands.claim(lease, 500, Date.now())
    if (commands.length === 0) return ids
    for (const { id } of commands) ids.add(id)
  }
}

function message(topic: string): NewMessage {
  return { topic, payload: Uint8Array.of(1), qos: 1, retain: false, receivedAt: Date.now() }
}
