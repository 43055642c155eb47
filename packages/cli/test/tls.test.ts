import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { Broker, type BrokerOptions, type TlsOptions } from '@pipit/broker'
import { connect, type MqttClient } from '@pipit/client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CertAuthority } from '../src/cert-authority.ts'
import { freePort, noMosquitto, noMosquittoClients, outcome, Processes } from './processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipit-tls-'))
const other = mkdtempSync(join(tmpdir(), 'pipit-tls-other-'))
const at = (name: string): string => join(folder, name)
const processes = new Processes()
const ends: (() => unknown)[] = []
let authority: CertAuthority

beforeAll(async () => {
  authority = (await CertAuthority.at(folder, 30)).authority
  const stranger = (await CertAuthority.at(other, 30)).authority
  const hosts = ['localhost', '127.0.0.1']
  await authority.issue('server', { name: 'localhost', purpose: 'server', hosts, days: 30 })
  await authority.issue('server2', { name: 'localhost', purpose: 'server', hosts, days: 30 })
  await authority.issue('elsewhere', { name: 'e', purpose: 'server', hosts: ['elsewhere.example'], days: 30 })
  await authority.issue('old-server', { name: 'localhost', purpose: 'server', hosts, days: -1 })
  for (const name of ['sensor_1', 'lost']) await authority.issue(name, { name, purpose: 'client', days: 30 })
  await authority.issue('old', { name: 'old', purpose: 'client', days: -1 })
  await authority.revoke('lost')
  await stranger.issue('stranger', { name: 'stranger', purpose: 'client', days: 30 })
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(async () => {
  await processes.end()
  for (const each of [folder, other]) rmSync(each, { recursive: true })
})

/** What the broker warns of, and a promise for the first line that fits. */
class Log {
  readonly lines: string[] = []
  private readonly looks = new Set<() => void>()
  readonly info = (): void => undefined
  readonly error = (_: object, message: string): void => this.warn(_, message)
  readonly warn = (_: object, message: string): void => {
    this.lines.push(message)
    for (const look of this.looks) look()
  }

  says(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => {
      const look = (): void => {
        const line = this.lines.find((each) => pattern.test(each))
        if (line !== undefined) resolve(line)
      }
      this.looks.add(look)
      look()
    })
  }
}

const SERVER = { certificate: at('server.crt'), key: at('server.key') }
const WITH_CLIENTS = { ...SERVER, ca: at('ca.crt'), crl: at('ca.crl'), requireCertificate: true }

async function start(
  tls: TlsOptions,
  options: BrokerOptions = {},
): Promise<{ port: number; wss: number; log: Log; broker: Broker }> {
  const log = new Log()
  const broker = new Broker({ logger: log, ...options })
  ends.push(() => broker.close())
  const { port } = await broker.listen({ port: 0, tls })
  const { port: wss } = await broker.listenWebSocket({ port: 0, tls })
  return { port, wss, log, broker }
}

type ClientTls = NonNullable<NonNullable<Parameters<typeof connect>[1]>['tls']>

async function client(url: string, tls: ClientTls): Promise<MqttClient> {
  const ca = await text(at('ca.crt'))
  const connected = await connect(url, { version: '5.0', reconnect: false, tls: { ca, ...tls } })
  ends.push(() => connected.close({ force: true }))
  return connected
}

async function text(file: string): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  return readFile(file, 'utf8')
}

async function identity(file: string): Promise<{ cert: string; key: string }> {
  return { cert: await text(`${file}.crt`), key: await text(`${file}.key`) }
}

describe('TLS', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s and wss carry messages', async (version) => {
    const { port, wss } = await start(SERVER)
    const versions = { minVersion: version, maxVersion: version }
    const one = await client(`mqtts://localhost:${port}`, versions)
    const two = await client(`wss://localhost:${wss}/mqtt`, versions)
    const messages = await one.subscribe('t')
    await two.publish('t', 'x'.repeat(100_000), { qos: 1 })
    for await (const message of messages) {
      expect(message.payload.length).toBe(100_000)
      break
    }
  })

  test('only the versions that are allowed', async () => {
    const { port, log } = await start({ ...SERVER, minimumVersion: 'TLSv1.3' })
    await expect(client(`mqtts://localhost:${port}`, { maxVersion: 'TLSv1.2' })).rejects.toThrow()
    await log.says(/closed: it (speaks|takes) no version of TLS that is allowed here/)
  })

  test('several certificates, chosen by the name that is asked for (SNI)', async () => {
    const elsewhere = { certificate: at('elsewhere.crt'), key: at('elsewhere.key') }
    const { port } = await start({ ...SERVER, certificates: [elsewhere] })
    const nameOf = async (servername: string): Promise<string | undefined> => {
      const socket = connectTls({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const name = socket.getPeerCertificate().subject.CN
      socket.destroy()
      return String(name)
    }
    expect(await nameOf('elsewhere.example')).toBe('e')
    expect(await nameOf('localhost')).toBe('localhost')
    expect(await nameOf('nobody.example')).toBe('localhost')
  })

  test('ALPN: mqtt is spoken, another protocol refused', async () => {
    const { port, log } = await start(SERVER)
    const ca = await text(at('ca.crt'))
    const open = (protocol: string): TLSSocket =>
      connectTls({ port, host: 'localhost', ca, ALPNProtocols: [protocol] })
    const socket = open('mqtt')
    await once(socket, 'secureConnect')
    expect(socket.alpnProtocol).toBe('mqtt')
    socket.destroy()
    const refused = open('h2')
    await expect(once(refused, 'secureConnect')).rejects.toThrow(/alert no application protocol/)
    await log.says(/it asks for another protocol than MQTT/)
  })
})

describe('client certificates', () => {
  test.each([
    [{ identityAsUsername: true }, 'sensor_1'],
    [{ subjectAsUsername: true }, 'CN=sensor_1'],
  ])('%j is the user name, on TLS and wss', async (how, name) => {
    const users: unknown[] = []
    const onConnect = ({ username }: { username: string | undefined }): void => void users.push(username)
    const { port, wss } = await start({ ...WITH_CLIENTS, ...how }, { onConnect })
    const own = await identity(at('sensor_1'))
    await client(`mqtts://localhost:${port}`, own)
    await client(`wss://localhost:${wss}/mqtt`, own)
    expect(users).toEqual([name, name])
  })

  test.each([
    ['that has expired', () => identity(at('old')), /its certificate \(CN=old\) has expired/],
    ['that is revoked', () => identity(at('lost')), /its certificate \(CN=lost\) is revoked/],
    [
      'of another authority',
      () => identity(join(other, 'stranger')),
      /its certificate \(CN=stranger\) is of an authority that is not known here/,
    ],
    ['that is missing', async () => ({}), /it showed no client certificate/],
    ['of a server', () => identity(at('server2')), /\(CN=localhost\) is not meant for clients/],
  ])('one %s: CONNACK 0x87 and a line in the log', async (_what, own, line) => {
    const { port, log } = await start({ ...WITH_CLIENTS, identityAsUsername: true })
    await expect(client(`mqtts://localhost:${port}`, await own())).rejects.toMatchObject({
      code: 'CONNECTION_REFUSED',
      reasonCode: 0x87,
    })
    await log.says(line)
  })
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  '%s: a session of an earlier handshake does not outlive its certificate',
  async (version) => {
    await authority.issue('leaver', { name: 'leaver', purpose: 'client', days: 30 })
    const { port, broker } = await start({ ...WITH_CLIENTS, identityAsUsername: true })
    const own = { ca: await text(at('ca.crt')), ...(await identity(at('leaver'))) }
    const versions = { minVersion: version, maxVersion: version }
    const login = async (before?: Buffer) => {
      const socket = connectTls({ port, host: 'localhost', ...versions, ...own, session: before })
      let session: Buffer | undefined
      socket.on('session', (given: Buffer) => {
        session = given
      })
      await once(socket, 'secureConnect')
      socket.write(Buffer.from('100d00044d5154540402003c000163', 'hex'))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      const isReused = socket.isSessionReused()
      socket.destroy()
      return { code: answer[3], isReused, session }
    }
    const { session, ...first } = await login()
    expect(first).toEqual({ code: 0, isReused: false })
    expect(await login(session)).toMatchObject({ code: 0, isReused: true })
    await authority.revoke('leaver')
    expect(await broker.reload()).toEqual([])
    expect(await login(session)).toMatchObject({ code: 5 })
  },
)

test('files of a listener that wants certificates are not for who has none, or a wrong one', async () => {
  const { httpFolder, log, wssWith } = await filesBehindCertificates()
  writeFileSync(join(httpFolder, 'page.txt'), 'inside')
  const port = await wssWith(WITH_CLIENTS)
  const get = async (own: ClientTls): Promise<string> => {
    const socket = connectTls({ port, host: 'localhost', ca: await text(at('ca.crt')), ...own })
    let answer = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk
    })
    socket.write('GET /page.txt HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'close')
    return answer
  }
  expect(await get(await identity(at('sensor_1')))).toMatch(/^HTTP\/1\.1 200 [\s\S]*inside$/)
  expect(await get({})).toMatch(/^HTTP\/1\.1 403 /)
  expect(await get(await identity(at('lost')))).not.toContain('inside')
  await log.says(/its request is refused \(403\): its certificate \(CN=lost\) is revoked/)
})

async function filesBehindCertificates() {
  const httpFolder = mkdtempSync(join(tmpdir(), 'pipit-tls-files-'))
  ends.push(() => rmSync(httpFolder, { recursive: true }))
  const log = new Log()
  const broker = new Broker({ logger: log })
  ends.push(() => broker.close())
  const wssWith = async (tls: TlsOptions): Promise<number> =>
    (await broker.listenWebSocket({ port: 0, tls, httpFolder })).port
  return { httpFolder, log, wssWith }
}

describe('a wrong case', () => {
  test('plain MQTT to the TLS port', async () => {
    const { port, log } = await start(SERVER)
    await expect(connect(`mqtt://127.0.0.1:${port}`, { reconnect: false })).rejects.toThrow()
    await log.says(/^client at 127\.0\.0\.1:\d+: closed: it does not speak TLS, which this port does/)
  })

  test('a handshake that does not go on', async () => {
    const { port, log } = await start({ ...SERVER, handshakeTimeoutMs: 100 })
    const socket = connectPlain(port, '127.0.0.1')
    socket.write(Buffer.from('1603010200', 'hex'))
    await once(socket, 'close')
    await log.says(/its TLS handshake was not done in time/)
  })

  test('handshakes of one address are bounded before they begin, and their end makes room', async () => {
    const { port, wss, log, broker } = await start(SERVER, { limits: { pendingPerAddress: 2 } })
    const half = [connectPlain(port, '127.0.0.1'), connectPlain(wss, '127.0.0.1')]
    for (const socket of half) {
      await once(socket, 'connect')
      socket.write(Buffer.from('1603010200', 'hex'))
    }
    const more = connectPlain(port, '127.0.0.1').on('error', () => undefined)
    await once(more.resume(), 'close')
    await log.says(/127\.0\.0\.1:\d+: closed: more connections .* than limits\.pendingPerAddress/)
    expect(broker.connections.size).toBe(0)
    for (const socket of half) socket.write('no TLS at all')
    await Promise.all(half.map((socket) => once(socket.on('error', () => undefined).resume(), 'close')))
    const inside = await client(`mqtts://localhost:${port}`, {})
    // Who has logged in is not pending: there is room for two more again and again.
    for (let i = 0; i < 3; i++) await client(`wss://localhost:${wss}/mqtt`, {})
    await inside.ping()
  })

  test('connections of one address beyond the rate are closed before any TLS', async () => {
    const { port, log } = await start(SERVER, { now: () => 0, limits: { connectionRate: 1 } })
    await client(`mqtts://localhost:${port}`, {})
    await expect(client(`mqtts://localhost:${port}`, {})).rejects.toThrow()
    await log.says(/closed: more connections a second .* than limits\.connectionRate/)
  })

  test('plain HTTP to the wss port', async () => {
    const { wss, log } = await start(SERVER)
    const socket = connectPlain(wss, '127.0.0.1')
    socket.on('error', () => undefined).write('GET /mqtt HTTP/1.1\r\n\r\n')
    await log.says(/it speaks plain HTTP to a port that speaks TLS/)
    socket.destroy()
  })

  test('TLS to a plain port', async () => {
    const log = new Log()
    const broker = new Broker({ logger: log })
    ends.push(() => broker.close())
    const { port } = await broker.listen({ port: 0 })
    await expect(client(`mqtts://localhost:${port}`, {})).rejects.toThrow()
    await log.says(/127\.0\.0\.1:\d+: closed: it speaks TLS to a port that does not/)
  })

  test.each([
    ['an unknown authority', 'server', (): ClientTls => ({ ca: undefined })],
    ['an expired server', 'old-server', (): ClientTls => ({})],
    ['another host name', 'elsewhere', (): ClientTls => ({})],
  ])('%s: the client goes', async (_what, file, tls) => {
    const { port } = await start({ certificate: at(`${file}.crt`), key: at(`${file}.key`) })
    await expect(client(`mqtts://localhost:${port}`, tls())).rejects.toThrow()
  })

  test.each([
    [{ certificate: at('server.crt') }, /tls\.key is missing/],
    [{ ...SERVER, key: at('ca.key') }, /server\.crt and its key: the key is not that of the certificate/],
    [{ ...SERVER, certificate: at('none.crt') }, /none\.crt: there is no such file/],
    [{ ...SERVER, certificate: at('server.key') }, /server\.key: no certificate in PEM/],
    [{ ...SERVER, requireCertificate: true }, /tls\.requireCertificate needs tls\.ca/],
    [{ ...SERVER, identityAsUsername: true }, /need tls\.requireCertificate/],
  ])('options %j say what is wrong', async (tls, fault) => {
    const broker = new Broker()
    ends.push(() => broker.close())
    await expect(broker.listen({ port: 0, tls })).rejects.toThrow(fault)
  })
})

describe('files that change', () => {
  test('a new certificate is shown to new connections, old ones stay; a wrong file changes nothing', async () => {
    const live = { certificate: at('live.crt'), key: at('live.key') }
    const use = (name: string): void => {
      copyFileSync(at(`${name}.crt`), live.certificate)
      copyFileSync(at(`${name}.key`), live.key)
    }
    use('server')
    const { port, broker } = await start(live)
    const serial = async (): Promise<string> => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    }
    const before = await serial()
    const stays = await client(`mqtts://localhost:${port}`, {})
    use('server2')
    expect(await broker.reload()).toEqual([])
    const after = await serial()
    expect(after).not.toBe(before)
    copyFileSync(at('server.key'), live.certificate)
    expect(await broker.reload()).toEqual([
      expect.stringMatching(/the certificates are not taken, those before stay: .*no certificate in PEM/),
      expect.stringMatching(/the certificates are not taken/),
    ])
    expect(await serial()).toBe(after)
    await stays.ping()
  })

  test('they are taken without being asked', async () => {
    const live = { certificate: at('watched.crt'), key: at('watched.key') }
    copyFileSync(at('server.crt'), live.certificate)
    copyFileSync(at('server.key'), live.key)
    const { log } = await start(live)
    copyFileSync(at('server.key'), live.certificate)
    await log.says(/the certificates are not taken/)
  })
})

describe.skipIf(noMosquittoClients !== undefined)(`Mosquitto's clients ${noMosquittoClients ?? ''}`, () => {
  const run = (port: number, ...args: string[]) =>
    outcome(
      processes.run('mosquitto_pub', ['-h', 'localhost', '-p', String(port), '-t', 't', '-m', 'x', ...args]),
    )
  const CA = ['--cafile', at('ca.crt')]

  test('connect with TLS, with a client certificate, and are told when it will not do', async () => {
    const { port } = await start({ ...WITH_CLIENTS, identityAsUsername: true })
    const own = (name: string): string[] => ['--cert', at(`${name}.crt`), '--key', at(`${name}.key`)]
    expect(await run(port, ...CA, ...own('sensor_1'), '-q', '1')).toMatchObject({ code: 0, stderr: '' })
    expect(await run(port, ...CA, ...own('lost'), '-V', '5')).toMatchObject({ code: 135 })
    expect(await run(port, ...CA, ...own('lost'))).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('Connection Refused: not authorised') as string,
    })
  })

  test.skipIf(noMosquitto !== undefined)(
    'hear of a bad certificate here, where Mosquitto ends the handshake',
    async () => {
      const theirs = await freePort()
      const lines = [
        // Keys are for their owner only.
        ...[`listener ${theirs} 127.0.0.1`, 'user root', 'allow_anonymous true', 'require_certificate true'],
        ...[`cafile ${at('ca.crt')}`, `certfile ${at('server.crt')}`, `keyfile ${at('server.key')}`],
        `crlfile ${at('ca.crl')}`,
      ]
      writeFileSync(at('mosquitto.conf'), `${lines.join('\n')}\n`)
      await processes.mosquittoWith(at('mosquitto.conf'))
      const { port } = await start(WITH_CLIENTS)
      const good = ['--cert', at('sensor_1.crt'), '--key', at('sensor_1.key')]
      for (const each of [theirs, port]) expect(await run(each, ...CA, ...good)).toMatchObject({ code: 0 })
      const stranger = join(other, 'stranger')
      for (const each of [at('old'), at('lost'), stranger]) {
        const own = [...CA, '--cert', `${each}.crt`, '--key', `${each}.key`, '-V', '5']
        const there = await run(theirs, ...own)
        expect(there.code).not.toBe(0)
        expect(there.stderr).not.toMatch(/not authori[sz]ed/i)
        expect(await run(port, ...own)).toMatchObject({ code: 135 })
      }
    },
  )

  test("do not take a server of another authority, and the broker's log says so", async () => {
    const { port, log } = await start(SERVER)
    expect((await run(port, '--cafile', join(other, 'ca.crt'))).code).not.toBe(0)
    await log.says(
      /client (at 127\.0\.0\.1:\d+|that has gone): closed: it does not know the authority of the broker's/,
    )
  })

  test('pre-shared keys', async () => {
    const { writeFile } = await import('node:fs/promises')
    await writeFile(at('keys'), 'sensor_1:00112233445566778899aabbccddeeff\n')
    const users: unknown[] = []
    const { port, log } = await start(
      { pskFile: at('keys'), pskHint: 'hint', identityAsUsername: true },
      { onConnect: ({ username }) => void users.push(username) },
    )
    const psk = (identity: string, key: string): string[] => ['--psk', key, '--psk-identity', identity]
    expect(await run(port, ...psk('sensor_1', '00112233445566778899aabbccddeeff'))).toMatchObject({ code: 0 })
    expect(users).toEqual(['sensor_1'])
    expect((await run(port, ...psk('sensor_2', '00'))).code).not.toBe(0)
    await log.says(/its pre-shared key/)
  })
})

describe('pipit pub and pipit sub over TLS', () => {
  const ca = (): string[] => ['--cafile', at('ca.crt')]
  const pub = (...args: string[]) => processes.done(['pub', '-t', 'x', '-m', 'hello', ...args])

  test('with a certificate of their own, and through a WebSocket', async () => {
    const { port, wss } = await start({ ...WITH_CLIENTS, identityAsUsername: true })
    const own = ['--cert', at('sensor_1.crt'), '--key', at('sensor_1.key'), ...ca()]
    const listening = processes.pipit(['sub', '-p', `${port}`, '-t', 'x', '-C', '2', '-d', ...own])
    await listening.says(/subscribed to/, 'stderr')
    expect(await pub('-L', `mqtts://localhost:${port}`, ...own)).toMatchObject({ code: 0, stderr: '' })
    expect(await pub('-L', `wss://localhost:${wss}/mqtt`, '-q', '1', ...own)).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(await listening.ended).toBe(0)
    expect(listening.stdout).toBe('hello\nhello\n')
  })

  test('what is wrong is said, and what would be right', async () => {
    const { port } = await start(SERVER)
    const unknown = await pub('-L', `mqtts://localhost:${port}`)
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('with --cafile') })
    expect(await pub('-L', `mqtts://localhost:${port}`, '--insecure')).toMatchObject({ code: 0 })
    const half = await pub('-p', `${port}`, '--cert', at('sensor_1.crt'))
    expect(half.stderr).toContain('--cert and --key go together')
    const missing = await pub('-p', `${port}`, '--cafile', at('nothing.crt'))
    expect(missing.stderr).toMatch(/--cafile: .*nothing\.crt: there is no such file/)
    const broker = new Broker()
    ends.push(() => broker.close())
    const plain = await broker.listen({ port: 0 })
    expect((await pub('-p', `${plain.port}`, ...ca())).stderr).toContain('closed the connection')
  })
})

describe('devices over TLS', () => {
  const device = (name: string, args: readonly string[], env?: NodeJS.ProcessEnv) =>
    processes.pipit(['device', name, ...args], env)
  const own = (): string[] => [
    ...['--cafile', at('ca.crt'), '--cert', at('sensor_1.crt'), '--key', at('sensor_1.key')],
  ]

  test('pipit device led and sensor, with a certificate of their own, and through a WebSocket', async () => {
    const users: unknown[] = []
    const { port, wss } = await start(
      { ...WITH_CLIENTS, identityAsUsername: true },
      { onConnect: ({ username }) => void users.push(username) },
    )
    const led = device('led', ['-p', `${port}`, ...own()])
    const sensor = device('sensor', ['--broker', `wss://localhost:${wss}/mqtt`, ...own()])
    await Promise.all([led.says(/light: connected to localhost/), sensor.says(/temperature -?\d/)])
    await Promise.all([led.kill('SIGINT'), sensor.kill('SIGINT')])
    expect(users).toEqual(['sensor_1', 'sensor_1'])
    const stranger = device('led', ['-p', `${port}`, '--insecure'])
    expect(await stranger.ended).not.toBe(0)
    expect(stranger.stderr).toMatch(/not authori[sz]ed/i)
  })

  test('the environment says how clients reach a broker; what it says to brokers is not for them', async () => {
    const { port } = await start(SERVER)
    const env = { PIPIT_BROKER_PORT: `${port}`, PIPIT_PORT: '1', PIPIT_INSECURE: '1' }
    const refused = device('led', ['--broker', `mqtts://localhost:${port}`], env)
    expect(await refused.ended).not.toBe(0)
    expect(refused.stderr).toContain('with --cafile')
    const led = device('led', [], { ...env, PIPIT_TLS_INSECURE: '1' })
    await led.says(/light: connected to localhost/)
    await led.kill('SIGINT')
  })

  test('pipit device fleet, through its lossy links', async () => {
    const { port } = await start({ ...WITH_CLIENTS, identityAsUsername: true })
    const fleet = device('fleet', [
      ...['--broker', `mqtts://localhost:${port}`, ...own()],
      ...['--count', '3', '--duration', '30m', '--speed', '1000', '--json'],
    ])
    expect(await fleet.ended).toBe(0)
    const summary = JSON.parse(fleet.stdout) as {
      readings: { measured: number }
      lostReadings: number
    }
    expect(summary.lostReadings).toBe(0)
    expect(summary.readings.measured).toBeGreaterThan(0)
    const stray = device('fleet', ['--cafile', at('ca.crt')])
    expect(await stray.ended).toBe(1)
    expect(stray.stderr).toContain('for a broker that --broker names')
  })
})
