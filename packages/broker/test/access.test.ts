import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AccessOptions, Broker, hashPassword, type Logger } from '@pipit/broker'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { Bench, text, type Wire } from './wire.ts'

const bench = new Bench()
const folder = mkdtempSync(join(tmpdir(), 'pipit-access-'))
const servers: Server[] = []
afterEach(async () => {
  await bench.end()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, contents: string): string {
  const path = join(folder, name)
  writeFileSync(path, contents)
  return path
}

/** What the broker warns of. */
function log(): { readonly lines: string[]; readonly logger: Logger } {
  const lines: string[] = []
  const take = (_: object, message: string): void => void lines.push(message)
  return { lines, logger: { info: () => undefined, warn: take, error: take } }
}

type Login = readonly [username: string | undefined, password?: string | Uint8Array]

async function login(
  port: number,
  [username, password]: Login,
  version: 4 | 5 = 5,
  clientId = 'c',
): Promise<number> {
  const wire = await bench.open(port, version)
  const given = password === undefined ? {} : { password: Buffer.from(password) }
  const { reasonCode } = await wire.hello({ clientId, ...(username !== undefined && { username }), ...given })
  return reasonCode
}

describe('passwords', () => {
  const hashes: Record<string, string> = {}
  beforeAll(async () => {
    for (const form of ['argon2id', 'sha512-pbkdf2', 'sha512'] as const) {
      hashes[form] = await hashPassword(Buffer.from('secret'), form)
    }
  })

  test.each(['argon2id', 'sha512-pbkdf2', 'sha512'])('%s: right, wrong, and nobody', async (form) => {
    const passwordFile = file(`passwords-${form}`, `alice:${hashes[form]}\n`)
    const { port } = await bench.broker({ access: { passwordFile } })
    expect(await login(port, ['alice', 'secret'])).toBe(0)
    expect(await login(port, ['alice', 'secret'])).toBe(0)
    expect(await login(port, ['alice', 'Secret'])).toBe(0x86)
    expect(await login(port, ['bob', 'secret'])).toBe(0x86)
    expect(await login(port, ['alice'])).toBe(0x86)
    expect(await login(port, [undefined])).toBe(0x87)
    expect(await login(port, ['alice', 'wrong'], 4)).toBe(4)
    expect(await login(port, [undefined], 4)).toBe(5)
  })

  const hasPasswd = spawnSync('mosquitto_passwd', ['-h']).error === undefined
  test.skipIf(!hasPasswd)('a file of mosquitto_passwd, as it is', async () => {
    const passwordFile = file('mosquitto-passwords', '')
    for (const [user, password] of [
      ['alice', 'secret'],
      ['bob', 'pass: word $1'],
    ] as const) {
      spawnSync('mosquitto_passwd', ['-b', passwordFile, user, password])
    }
    spawnSync('mosquitto_passwd', ['-b', '-H', 'sha512', passwordFile, 'carol', 'old'])
    expect(readFileSync(passwordFile, 'utf8')).toMatch(/^alice:\$7\$101\$.*\nbob:\$7\$.*\ncarol:\$6\$/)
    const { port } = await bench.broker({ access: { passwordFile } })
    expect(await login(port, ['alice', 'secret'])).toBe(0)
    expect(await login(port, ['bob', 'pass: word $1'])).toBe(0)
    expect(await login(port, ['carol', 'old'])).toBe(0)
    expect(await login(port, ['carol', 'secret'])).toBe(0x86)
  })

  test('a line that is wrong is named, and its user cannot log in', async () => {
    const passwordFile = file('wrong-passwords', `# users\nalice:secret\nbob\ncarol:$9$x$y\n`)
    const { lines, logger } = log()
    const { port } = await bench.broker({ access: { passwordFile }, logger })
    expect(lines).toEqual([
      expect.stringMatching(
        /wrong-passwords:2: user "alice" has a password that is not hashed; .*pipit passwd hash/,
      ),
      expect.stringMatching(/wrong-passwords:3: no line USER:HASH/),
      expect.stringMatching(/wrong-passwords:4: user "carol" has a hash that is not known here/),
    ])
    expect(await login(port, ['alice', 'secret'])).toBe(0x86)
    expect(lines.join()).not.toContain('secret')
  })

  test('guessing is slowed down, and who was there before is not held up', async () => {
    let now = 1_000_000
    const passwordFile = file('guessed', `alice:${hashes['sha512']}\n`)
    const { port } = await bench.broker({ access: { passwordFile }, now: () => now })
    expect(await login(port, ['alice', 'secret'])).toBe(0)
    for (let i = 0; i < 4; i++) expect(await login(port, ['mallory', `${i}`])).toBe(0x86)
    expect(await login(port, ['mallory', '5'])).toBe(0x9f)
    for (let i = 0; i < 20; i++) await login(port, [`user${i}`, 'x'])
    expect(await login(port, ['newcomer', 'x'])).toBe(0x9f)
    expect(await login(port, ['newcomer', 'x'], 4)).toBe(3)
    expect(await login(port, ['alice', 'secret'])).toBe(0)
    now += 60_000
    expect(await login(port, ['newcomer', 'x'])).toBe(0x86)
  })

  test('a user that is gone, or has another password, has to log in again; others stay', async () => {
    const passwordFile = file('changing', `alice:${hashes['sha512']}\nbob:${hashes['sha512']}\n`)
    const { broker, port } = await bench.broker({ access: { passwordFile } })
    const password = Buffer.from('secret')
    const alice = await bench.connect(port, { clientId: 'a', username: 'alice', password })
    const bob = await bench.connect(port, { clientId: 'b', username: 'bob', password })
    writeFileSync(passwordFile, `bob:${hashes['sha512']}\n`)
    expect(await broker.reload()).toEqual([])
    expect((await alice.receive('DISCONNECT')).reasonCode).toBe(0x87)
    await bob.settles()
  })

  test('who is on its way in while its password goes is not let in', async () => {
    const passwordFile = file('going', `alice:${hashes['sha512-pbkdf2']}\n`)
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { broker, port } = await bench.broker({ access: { passwordFile }, onConnect: () => held })
    const password = Buffer.from('secret')
    const early = await bench.open(port)
    const refused = early.hello({ clientId: 'a', username: 'alice', password }).then(
      ({ reasonCode }) => reasonCode,
      () => 'closed',
    )
    while (broker.connections.size === 0 || [...broker.connections][0]?.loginMark === undefined) {
      await new Promise(setImmediate)
    }
    writeFileSync(passwordFile, `alice:${await hashPassword(Buffer.from('other'), 'sha512')}\n`)
    expect(await broker.reload()).toEqual([])
    release()
    expect(await refused).not.toBe(0)
    expect(broker.sessions.size).toBe(0)
  })

  test('what is checked while the file is read again counts as the file says then', async () => {
    const passwordFile = file('racing', `alice:${hashes['sha512-pbkdf2']}\n`)
    const { broker, port } = await bench.broker({ access: { passwordFile } })
    const wires = await Promise.all(Array.from({ length: 3 }, () => bench.open(port)))
    const codes = wires.map((wire, i) =>
      wire
        .hello({ clientId: `c${i}`, username: 'alice', password: Buffer.from('secret') })
        .then(({ reasonCode }) => reasonCode)
        .catch(() => 'closed'),
    )
    while (broker.counters.connects < 3) await new Promise(setImmediate)
    writeFileSync(passwordFile, `alice:${await hashPassword(Buffer.from('other'), 'sha512')}\n`)
    await broker.reload()
    await Promise.all(codes)
    for (const { session } of broker.connections) expect(session).toBeUndefined()
    expect(await login(port, ['alice', 'other'], 5, 'new')).toBe(0)
  })

  test('rules that come while a client is on its way in are its rules', async () => {
    const passwordFile = file('ruled', `alice:${hashes['sha512']}\n`)
    const aclFile = file('late-rules', 'user alice\ntopic write may\n')
    let release = (): void => undefined
    let asked = (): void => undefined
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const onConnect = (): Promise<void> => {
      asked()
      return held
    }
    const { broker, port } = await bench.broker({ access: { passwordFile }, onConnect })
    const wire = await bench.open(port)
    const entering = wire.hello({ clientId: 'a', username: 'alice', password: Buffer.from('secret') })
    await isAsked
    broker.reconfigure({ ...broker.options, access: { passwordFile, aclFile } })
    expect(await broker.reload()).toEqual([])
    release()
    expect((await entering).reasonCode).toBe(0)
    for (const [topic, code] of [
      ['may', 0x10],
      ['other', 0x87],
    ] as const) {
      wire.publish(topic, 'x', { qos: 1 })
      expect((await wire.receive('PUBACK')).reasonCode).toBe(code)
    }
  })
})

const ISSUE = {
  'acl.mosquitto':
    'user sensor_1\ntopic write sensors/temp\nuser dashboard\ntopic read sensors/#\nuser hacker\n',
  'acl.yaml': 'users:\n  sensor_1: [write sensors/temp]\n  dashboard: [subscribe sensors/#]\n  hacker: []\n',
}

describe('access control', () => {
  describe.each(Object.entries(ISSUE))('%s', (name, rules) => {
    test.each([3, 4, 5] as const)(
      'sensor_1 writes, dashboard reads, hacker does nothing: version %i',
      async (protocolVersion) => {
        const access = { anonymous: true, aclFile: file(name, rules) }
        const { port } = await bench.broker({ access })
        const as = (username: string): Promise<Wire> =>
          bench.connect(port, { protocolVersion, clientId: username, username })
        const [sensor, dashboard, hacker] = [await as('sensor_1'), await as('dashboard'), await as('hacker')]
        const refused = protocolVersion === 5 ? 0x87 : 0x80
        expect((await dashboard.subscribe('sensors/#', 1)).reasonCodes).toEqual([1])
        expect((await hacker.subscribe('sensors/temp')).reasonCodes).toEqual([refused])
        expect((await hacker.subscribe('#')).reasonCodes).toEqual([refused])
        expect((await sensor.subscribe('sensors/temp')).reasonCodes).toEqual([refused])
        expect((await dashboard.subscribe('other/#')).reasonCodes).toEqual([refused])
        hacker.publish('sensors/temp', 'forged', { qos: 1 })
        expect((await hacker.receive('PUBACK')).reasonCode ?? 0).toBe(protocolVersion === 5 ? 0x87 : 0)
        sensor.publish('sensors/other', 'not here')
        sensor.publish('sensors/temp', '21', { qos: 1 })
        await sensor.receive('PUBACK')
        expect(text((await dashboard.receive('PUBLISH')).payload)).toBe('21')
      },
    )
  })

  test('denials hold over grants in YAML, wherever they stand; groups and %u, %c', async () => {
    const aclFile = file(
      'groups.yaml',
      `everyone: [readwrite home/%u/#, deny write home/%u/locked, read dev/%c/+]
groups:
  staff: {members: [ann, bob], rules: [readwrite staff/#, deny read staff/pay]}
users:
  bob: [readwrite home/bob/locked, read staff/pay]
`,
    )
    const { port } = await bench.broker({ access: { anonymous: true, aclFile } })
    const bob = await bench.connect(port, { clientId: 'd1', username: 'bob' })
    const codeOf = async (topic: string): Promise<number> => {
      bob.publish(topic, 'x', { qos: 1 })
      return (await bob.receive('PUBACK')).reasonCode
    }
    expect(await codeOf('home/bob/x')).toBe(0x10)
    expect(await codeOf('home/bob/locked')).toBe(0x87)
    expect(await codeOf('home/ann/x')).toBe(0x87)
    expect(await codeOf('staff/pay')).toBe(0x10)
    expect((await bob.subscribe('staff/pay')).reasonCodes).toEqual([0x87])
    expect((await bob.subscribe('dev/d1/a')).reasonCodes).toEqual([0])
    expect((await bob.subscribe('dev/d2/a')).reasonCodes).toEqual([0x87])
    const odd = await bench.connect(port, { clientId: 'd1/x', username: 'bob' })
    expect((await odd.subscribe('dev/d1/x')).reasonCodes).toEqual([0x87])
  })

  test('delivery, offline queues and shared subscriptions ask; new rules count at once', async () => {
    const aclFile = file('live', 'user a\ntopic read t/open\nuser b\ntopic read t/#\n')
    const { broker, port } = await bench.broker({ access: { anonymous: true, aclFile } })
    const a = await bench.connect(port, { clientId: 'a', username: 'a' })
    const b = await bench.connect(port, { clientId: 'b', username: 'b' })
    await a.subscribe('t/#')
    for (const wire of [a, b]) await wire.subscribe('$share/g/t/secret')
    broker.publish('t/secret', 'one')
    broker.publish('t/secret', 'two')
    expect(text((await b.receive('PUBLISH')).payload)).toBe('one')
    expect(text((await b.receive('PUBLISH')).payload)).toBe('two')
    broker.publish('t/open', 'seen')
    expect(text((await a.receive('PUBLISH')).payload)).toBe('seen')
    writeFileSync(aclFile, 'user a\ntopic read t/secret\n')
    await broker.reload()
    broker.publish('t/open', 'unseen')
    broker.publish('t/secret', 'now seen')
    expect(text((await a.receive('PUBLISH')).payload)).toBe('now seen')
    writeFileSync(aclFile, 'user a\ntopics x\n')
    expect(await broker.reload()).toEqual([
      expect.stringMatching(/live:2: "topics" is not known; .*the ACL stays/),
    ])
  })

  test('a will that may not be published: CONNACK 0x87', async () => {
    const aclFile = file('wills', 'topic write may/#\n')
    const { port } = await bench.broker({ access: { aclFile } })
    const hello = async (topic: string): Promise<number> => {
      const wire = await bench.open(port)
      const will = { topic, payload: Buffer.from('w'), qos: 0 as const, retain: false }
      return (await wire.hello({ clientId: topic, will })).reasonCode
    }
    expect(await hello('may/x')).toBe(0)
    expect(await hello('other')).toBe(0x87)
  })

  test('each listener may have its own', async () => {
    const broker = new Broker({ access: { aclFile: file('shut', '') } })
    const inner = await broker.listen({ port: 0, access: {} })
    const outer = await broker.listen({ port: 0 })
    const wire = await bench.connect(inner.port, { clientId: 'in' })
    expect((await wire.subscribe('#')).reasonCodes).toEqual([0])
    const other = await bench.connect(outer.port, { clientId: 'out' })
    expect((await other.subscribe('#')).reasonCodes).toEqual([0x87])
    await broker.close()
  })

  test('what is denied is logged with its rule, and no client writes a line of its own', async () => {
    const { lines, logger } = log()
    const aclFile = file('forged', 'topic deny secret\ntopic read #\n')
    const { port } = await bench.broker({ access: { aclFile }, logger, strict: false })
    const wire = await bench.connect(port, { clientId: 'x\n{"level":30}' })
    wire.publish('secret', 'x', { qos: 1 })
    await wire.receive('PUBACK')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/may not write "secret": .*forged:1: deny secret$/)
    expect(lines[0]).not.toContain('\n')
  })
})

describe('tokens', () => {
  const kinds: [string, KeyObject, KeyObject][] = [
    ['RS256', ...pair(generateKeyPairSync('rsa', { modulusLength: 2048 }))],
    ['ES256', ...pair(generateKeyPairSync('ec', { namedCurve: 'P-256' }))],
    ['EdDSA', ...pair(generateKeyPairSync('ed25519'))],
  ]

  function pair(keys: { publicKey: KeyObject; privateKey: KeyObject }): [KeyObject, KeyObject] {
    return [keys.publicKey, keys.privateKey]
  }

  async function jwks(): Promise<string> {
    const keys = await Promise.all(
      kinds.map(async ([alg, publicKey]) => ({ ...(await exportJWK(publicKey)), alg, kid: alg })),
    )
    return JSON.stringify({ keys })
  }

  function token(alg: string, claims: object, key?: KeyObject): Promise<string> {
    const own = kinds.find(([each]) => each === alg)
    return new SignJWT({ exp: Math.floor(Date.now() / 1000) + 60, ...claims })
      .setProtectedHeader({ alg, kid: alg })
      .sign(key ?? own![2])
  }

  test.each(['RS256', 'ES256', 'EdDSA'])('%s: claims give user, client identifier and ACL', async (alg) => {
    const { port } = await bench.broker({ access: { jwt: { keys: file('keys.json', await jwks()) } } })
    const password = Buffer.from(await token(alg, { sub: 'ann', client_id: 'dev-*', acl: ['subscribe a/#'] }))
    const wire = await bench.connect(port, { clientId: 'dev-1', username: 'any', password })
    expect((await wire.subscribe('a/b')).reasonCodes).toEqual([0])
    expect((await wire.subscribe('b')).reasonCodes).toEqual([0x87])
    expect(await login(port, ['any', password], 5, 'other')).toBe(0x85)
  })

  test('wrong ones are refused, and what is wrong is in the log', async () => {
    const { lines, logger } = log()
    const jwt = { keys: file('keys2.json', await jwks()), issuer: 'me', audience: 'mqtt' }
    const { port } = await bench.broker({ access: { jwt }, logger })
    const good = { sub: 'ann', iss: 'me', aud: 'mqtt' }
    const stranger = generateKeyPairSync('ed25519').privateKey
    const past = Math.floor(Date.now() / 1000) - 60
    const cases: [string, Promise<string>][] = [
      ['it has expired', token('EdDSA', { ...good, exp: past })],
      ['its claim "exp" will not do', token('EdDSA', { ...good, exp: undefined })],
      ['its claim "iss" will not do', token('EdDSA', { ...good, iss: 'you' })],
      ['its claim "aud" will not do', token('EdDSA', { ...good, aud: 'http' })],
      ['its signature is wrong', token('EdDSA', good, stranger)],
      ['it has no claim "sub"', token('EdDSA', { ...good, sub: undefined })],
    ]
    for (const [i, [why, made]] of cases.entries()) {
      const jws = await made
      expect(await login(port, [`u${i}`, jws])).toBe(0x86)
      expect(lines.at(-1)).toContain(why)
      expect(lines.at(-1)).not.toContain(jws)
    }
    expect(await login(port, ['u', await token('EdDSA', good)])).toBe(0)
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.e30`
    expect(await login(port, ['v', none])).toBe(0x86)
  })

  test("a token of another algorithm than the key, or of an unknown one, is the client's fault", async () => {
    const [rsa, ec] = [kinds[0]!, kinds[1]!]
    const pem = rsa[1].export({ type: 'spki', format: 'pem' }).toString()
    const forged = (header: object): string =>
      `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${Buffer.from('{"exp":9e9}').toString('base64url')}.AAAA`
    const tokens = [
      await token('ES256', { sub: 'ann' }, ec[2]),
      forged({ alg: 'EdDSA' }),
      forged({ alg: 'HS256' }),
      forged({ alg: 'RS256', crit: ['x'], x: 1 }),
      forged({ alg: 7 }),
      forged({}),
    ]
    for (const keys of [pem, file('keys3.json', await jwks())]) {
      const { lines, logger } = log()
      const { port } = await bench.broker({ access: { jwt: { keys } }, logger })
      const wanted = keys === pem ? tokens : tokens.slice(1)
      for (const [i, each] of wanted.entries()) expect(await login(port, [`u${i}`, each])).toBe(0x86)
      for (const line of lines) expect(line).toMatch(/is refused \(0x86\): the token is refused: /)
      expect(lines).toHaveLength(wanted.length)
    }
  })

  test("keys that are no use are not the client's fault: 0x88", async () => {
    const { lines, logger } = log()
    const broken = { keys: [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', alg: 'ES256', kid: 'ES256' }] }
    const keys = file('broken.json', JSON.stringify(broken))
    const { port } = await bench.broker({ access: { jwt: { keys } }, logger })
    expect(await login(port, ['u', await token('ES256', { sub: 'ann' })])).toBe(0x88)
    expect(lines[0]).toMatch(/the keys for tokens cannot be had: /)
  })

  test('the end of a token ends the connection: DISCONNECT 0xA0, in 3.1.1 without a word', async () => {
    let now = Date.now()
    const jwt = { keys: file('keys4.json', await jwks()), toleranceSeconds: 0 }
    const { broker, port } = await bench.broker({ access: { jwt }, now: () => now })
    const exp = Math.floor(now / 1000) + 100
    const password = Buffer.from(await token('EdDSA', { sub: 'ann', exp }))
    const will = { topic: 'gone', payload: Buffer.from('w'), qos: 0 as const, retain: false }
    const watcher = broker.subscribe('gone')[Symbol.asyncIterator]()
    const wire = await bench.connect(port, { clientId: 'a', username: 'x', password, will })
    const old = await bench.connect(port, { clientId: 'b', username: 'x', password, protocolVersion: 4 })
    now = exp * 1000 - 1
    broker.sweep()
    await wire.settles()
    now = exp * 1000
    broker.sweep()
    expect((await wire.receive('DISCONNECT')).reasonCode).toBe(0xa0)
    await expect(old.any()).rejects.toThrow('closed')
    expect((await watcher.next()).value).toMatchObject({ topic: 'gone' })
    expect(await login(port, ['x', password])).toBe(0x86)
    const renewed = Buffer.from(await token('EdDSA', { sub: 'ann', exp: exp + 100 }))
    expect(await login(port, ['x', renewed])).toBe(0)
  })

  test('keys from a URL are fetched once', async () => {
    let asked = 0
    const keys = await jwks()
    const url = await serve((_, answer) => {
      asked++
      answer(200, keys)
    })
    const { port } = await bench.broker({ access: { jwt: { keys: url } } })
    for (const clientId of ['a', 'b', 'c']) {
      expect(await login(port, ['x', await token('ES256', { sub: clientId })], 5, clientId)).toBe(0)
    }
    expect(asked).toBe(1)
  })
})

type Answer = (status: number, body?: string) => void

/** An HTTP service on a free port. */
async function serve(
  handle: (said: Record<string, unknown>, answer: Answer, path: string) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += String(chunk)
    })
    request.on('end', () => {
      const said = (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>
      handle(said, (status, text) => response.writeHead(status).end(text), request.url ?? '')
    })
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

describe('a service that is asked', () => {
  test('says who may come in, under which name, and what for; answers are remembered', async () => {
    const asked: string[] = []
    const url = await serve((said, answer, path) => {
      asked.push(`${path} ${said['username']} ${said['topic'] ?? said['password']}`)
      if (path === '/acl') answer(said['topic'] === 'yes' ? 200 : 403)
      else answer(said['password'] === 'right' ? 200 : 401, '{"username":"ann"}')
    })
    const http = { url: `${url}auth`, aclUrl: `${url}acl` }
    const { port } = await bench.broker({ access: { http } })
    const wire = await bench.connect(port, { clientId: 'c', username: 'x', password: Buffer.from('right') })
    for (const topic of ['yes', 'no', 'yes']) {
      wire.publish(topic, 'x', { qos: 1 })
      expect((await wire.receive('PUBACK')).reasonCode).toBe(topic === 'yes' ? 0x10 : 0x87)
    }
    expect((await wire.subscribe('no')).reasonCodes).toEqual([0x87])
    expect(await login(port, ['x', 'wrong'], 5, 'd')).toBe(0x86)
    expect(await login(port, ['x', 'right'])).toBe(0)
    expect(asked).toEqual(['/auth x right', '/acl ann yes', '/acl ann no', '/acl ann no', '/auth x wrong'])
  })

  test('what it is asked again about a filter behind a mount point is the same', async () => {
    const waiting: { readonly topic: string; readonly answer: () => void }[] = []
    let wake = (): void => undefined
    const authorize = (_: unknown, action: string, topic: string): boolean | Promise<boolean> => {
      if (action !== 'subscribe') return true
      return new Promise((resolve) => {
        waiting.push({ topic, answer: () => resolve(true) })
        wake()
      })
    }
    const asked = async (count: number): Promise<void> => {
      while (waiting.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    const { broker } = await bench.broker({ authorize })
    const { port } = await broker.listen({ port: 0, mountPoint: 'house/' })
    const wire = await bench.connect(port, { clientId: 'c' })
    const subscribed = wire.subscribe('a')
    await asked(1)
    broker.rulesChanged()
    waiting[0]?.answer()
    await asked(2)
    waiting[1]?.answer()
    expect((await subscribed).reasonCodes).toEqual([0])
    expect(waiting.map(({ topic }) => topic)).toEqual(['house/a', 'house/a'])
    wire.publish('a', 'x')
    expect((await wire.receive('PUBLISH')).topic).toBe('a')
  })

  test('what it was saying while rules changed does not count', async () => {
    const waiting: Answer[] = []
    let wake = (): void => undefined
    const url = await serve((_, answer, path) => {
      if (path === '/auth') return answer(200)
      waiting.push(answer)
      wake()
    })
    const asked = async (count: number): Promise<void> => {
      while (waiting.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    const http = { url: `${url}auth`, aclUrl: `${url}acl` }
    const { broker, port } = await bench.broker({ access: { http } })
    const wire = await bench.connect(port, { clientId: 'c', username: 'x' })
    wire.publish('t', 'x', { qos: 1 })
    await asked(1)
    await broker.reload()
    waiting[0]?.(200)
    await asked(2)
    waiting[1]?.(403)
    expect((await wire.receive('PUBACK')).reasonCode).toBe(0x87)
    const subscribed = wire.subscribe('t')
    await asked(3)
    await broker.reload()
    waiting[2]?.(200)
    await asked(4)
    waiting[3]?.(403)
    expect((await subscribed).reasonCodes).toEqual([0x87])
  })

  test.each([
    ['fails', (answer: Answer) => answer(500), {}],
    ['does not answer in time', () => undefined, { timeoutMs: 50 }],
  ])('that %s: CONNACK 0x88, and a line in the log without the password', async (_what, act, more) => {
    const { lines, logger } = log()
    const url = await serve((_, answer) => act(answer))
    const access: AccessOptions = { http: { url, ...more } }
    const { port } = await bench.broker({ access, logger })
    expect(await login(port, ['x', 'hunter2'])).toBe(0x88)
    expect(lines.join('\n')).toMatch(/127\.0\.0\.1:\d+ (answers with 500|does not answer: no answer in time)/)
    expect(lines.join('\n')).not.toContain('hunter2')
  })
})

describe('strangers', () => {
  test('a CONNECT of more than 4096 bytes is not read where a login is asked for', async () => {
    const passwordFile = file('strangers', `alice:${await hashPassword(Buffer.from('s'), 'sha512')}\n`)
    const { port } = await bench.broker({ access: { passwordFile } })
    const hello = async (bytes: number): Promise<number | undefined> => {
      const wire = await bench.open(port)
      const will = { topic: 't', payload: Buffer.alloc(bytes), qos: 0 as const, retain: false }
      const login = { username: 'alice', password: Buffer.from('s') }
      const answer = await wire.hello({ clientId: 'c', will, ...login }).catch(() => undefined)
      return answer?.reasonCode
    }
    expect(await hello(4000)).toBe(0)
    expect(await hello(5000)).toBeUndefined()
  })

  test('an HTTP request whose headers do not end is answered with 431', async () => {
    const broker = new Broker()
    const { port } = await broker.listenWebSocket({ port: 0 })
    const socket = connectSocket(port, '127.0.0.1')
    let answer = ''
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        answer += String(chunk)
      })
    socket.write(`GET /mqtt HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}`)
    await once(socket, 'close')
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    await broker.close()
  })

  test('a WebSocket message that does not end is not kept', async () => {
    const broker = new Broker()
    const { port } = await broker.listenWebSocket({ port: 0 })
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt')
    await once(socket, 'open')
    const closed = once(socket, 'close') as Promise<[number]>
    // The first part of a message that goes on for ever: no CONNECT is in sight.
    const part = Buffer.alloc(65_536)
    const pour = (error?: unknown): void => {
      if (!(error instanceof Error)) setImmediate(() => socket.send(part, { fin: false }, pour))
    }
    socket.on('error', () => undefined)
    pour()
    const [code] = await closed
    expect([1006, 1009]).toContain(code)
    await broker.close()
  })
})

describe('a listener that other machines can reach', () => {
  test.each([
    ['open', 'let everybody in and speak without encryption'],
    ['without TLS', 'speak without encryption'],
  ])('%s: it does not start, and says what helps', async (what, fault) => {
    const passwordFile = file('p', '')
    const broker = new Broker(what === 'open' ? {} : { access: { passwordFile } })
    const opening = broker.listen({ host: '192.0.2.1', port: 0 })
    await expect(opening).rejects.toMatchObject({
      code: 'INSECURE_LISTENER',
      message: expect.stringMatching(
        new RegExp(`would ${fault}.*\`pipit passwd add USER\` and \`pipit cert dev\`.*--insecure`),
      ) as string,
    })
    // Allowed in words, it is only the address that this machine does not have.
    await expect(broker.listen({ host: '192.0.2.1', port: 0, insecure: true })).rejects.not.toMatchObject({
      code: 'INSECURE_LISTENER',
    })
    await broker.close()
  })
})
