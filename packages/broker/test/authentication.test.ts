import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { type Authenticator, ScramSha256, scramCredentials } from '@pipit/broker'
import { afterEach, describe, expect, test } from 'vitest'
import { Bench, text, type Wire } from './wire.ts'

const bench = new Bench()
afterEach(() => bench.end())

const METHOD = 'SCRAM-SHA-256'
const bytes = (text: string): Buffer => Buffer.from(text)

/** A client's side of SCRAM, written from the RFC and not from our code. */
class Scram {
  readonly bare: string
  private readonly password: string
  private expected = ''

  constructor(username: string, password: string) {
    this.bare = `n=${username},r=fyko+d2lbbFgONRv9qkxdawL`
    this.password = password
  }

  get first(): string {
    return `n,,${this.bare}`
  }

  final(serverFirst: string): string {
    const [, r, s, i] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? []
    const key = pbkdf2Sync(this.password, Buffer.from(s ?? '', 'base64'), Number(i), 32, 'sha256')
    const hmac = (with_: Buffer, text: string): Buffer => createHmac('sha256', with_).update(text).digest()
    const clientKey = hmac(key, 'Client Key')
    const storedKey = createHash('sha256').update(clientKey).digest()
    const withoutProof = `c=biws,r=${r}`
    const message = `${this.bare},${serverFirst},${withoutProof}`
    const signature = hmac(storedKey, message)
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]!))
    this.expected = `v=${hmac(hmac(key, 'Server Key'), message).toString('base64')}`
    return `${withoutProof},p=${proof.toString('base64')}`
  }

  believes(serverFinal: Uint8Array | undefined): boolean {
    return this.expected !== '' && text(serverFinal) === this.expected
  }
}

const credentials = await scramCredentials('pencil', { iterations: 4096 })
const scram = (): ScramSha256 =>
  new ScramSha256({ credentials: async (username) => (username === 'user' ? credentials : undefined) })

function hello(wire: Wire, data: string | undefined, method = METHOD): void {
  wire.send({
    type: 'CONNECT',
    protocolVersion: 5,
    clientId: 'c',
    cleanStart: true,
    keepAlive: 0,
    properties: {
      authenticationMethod: method,
      ...(data !== undefined && { authenticationData: bytes(data) }),
    },
  })
}

function answer(wire: Wire, data: string, reasonCode: 0x18 | 0x19 = 0x18, method = METHOD): void {
  const properties = { authenticationMethod: method, authenticationData: bytes(data) }
  wire.send({ type: 'AUTH', reasonCode, properties })
}

/** Goes through CONNECT with SCRAM. */
async function login(port: number, client: Scram): Promise<Wire> {
  const wire = await bench.open(port)
  hello(wire, client.first)
  const challenge = await wire.receive('AUTH')
  expect(challenge.reasonCode).toBe(0x18)
  expect(challenge.properties?.authenticationMethod).toBe(METHOD)
  answer(wire, client.final(text(challenge.properties?.authenticationData)))
  return wire
}

describe('ScramSha256', () => {
  test('gives what RFC 7677 gives', async () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
    const kept = await scramCredentials('pencil', { salt, iterations: 4096 })
    const nonce = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
    const exchange = new ScramSha256({ credentials: () => kept, nonce: () => nonce }).begin()
    const first = await exchange.step(bytes('n,,n=user,r=rOprNGfwEbeRWgbNEkqO'))
    expect('challenge' in first && text(first.challenge)).toBe(
      `r=rOprNGfwEbeRWgbNEkqO${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    )
    const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
    const last = await exchange.step(bytes(`c=biws,r=rOprNGfwEbeRWgbNEkqO${nonce},p=${proof}`))
    expect(last).toMatchObject({ reasonCode: 0, username: 'user' })
    expect('authenticationData' in last && text(last.authenticationData)).toBe(
      'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    )
  })

  test.each([
    '',
    'n',
    'n,,n=user',
    'n,,r=abc',
    'p=tls-unique,,n=user,r=abc',
    'n,a=other,n=user,r=abc',
    'n,,n=us=2Der,r=abc',
    'n,,m=ext,n=user,r=abc',
    'n,,n=user,r=a b',
  ])('refuses the first message %j', async (first) => {
    expect(await scram().begin().step(bytes(first))).toMatchObject({ reasonCode: 0x82 })
  })

  test('takes names with = and , and an authorisation identity that is the user', async () => {
    const asked: string[] = []
    const authenticator = new ScramSha256({
      credentials: (username) => {
        asked.push(username)
        return credentials
      },
    })
    await authenticator.begin().step(bytes('n,,n=a=2Cb=3Dc,r=x'))
    await authenticator.begin().step(bytes('y,a=user,n=user,r=x'))
    expect(asked).toEqual(['a,b=c', 'user'])
  })

  test('an unknown user gets the same salt each time, as a known one does', async () => {
    const authenticator = scram()
    const salts = new Set<string | undefined>()
    for (let i = 0; i < 3; i++) {
      const step = await authenticator.begin().step(bytes(`n,,n=nobody,r=${i}`))
      salts.add('challenge' in step ? /s=[^,]+/.exec(text(step.challenge))?.[0] : undefined)
    }
    expect(salts.size).toBe(1)
    expect([...salts][0]).toMatch(/^s=/)
  })

  test('is strict about the last message', async () => {
    for (const change of [
      (last: string) => last.replace('c=biws', 'c=eSws'),
      (last: string) => last.replace(/r=./, 'r=_'),
      (last: string) => last.replace(/,p=.*/, ''),
      (last: string) => last.replace(/p=.{8}/, 'p='),
    ]) {
      const exchange = scram().begin()
      const client = new Scram('user', 'pencil')
      const first = await exchange.step(bytes(client.first))
      const last = await exchange.step(
        bytes(change(client.final('challenge' in first ? text(first.challenge) : ''))),
      )
      expect('reasonCode' in last && last.reasonCode).toBeGreaterThanOrEqual(0x80)
    }
  })
})

describe('enhanced authentication', () => {
  test('lets a client in that knows the password, and proves that the broker does', async () => {
    const { broker, port } = await bench.broker({ authenticators: [scram()] })
    const client = new Scram('user', 'pencil')
    const wire = await login(port, client)
    const connack = await wire.receive('CONNACK')
    expect(connack.reasonCode).toBe(0)
    expect(connack.properties?.authenticationMethod).toBe(METHOD)
    expect(client.believes(connack.properties?.authenticationData)).toBe(true)
    expect(broker.sessions.get('c')?.username).toBe('user')
  })

  test.each([
    ['a wrong password', new Scram('user', 'pen')],
    ['an unknown user', new Scram('nobody', 'pencil')],
  ])('%s: CONNACK 0x86', async (_what, client) => {
    const { broker, port } = await bench.broker({ authenticators: [scram()] })
    const wire = await login(port, client)
    expect((await wire.receive('CONNACK')).reasonCode).toBe(0x86)
    await wire.closed
    expect(broker.sessions.size).toBe(0)
  })

  test.each([
    ['without authenticators', {}],
    ['with another one', { authenticators: [scram()] }],
  ])('an unknown method %s: CONNACK 0x8C', async (_what, options) => {
    const { port } = await bench.broker(options)
    const wire = await bench.open(port)
    hello(wire, '', 'PLAIN')
    expect((await wire.receive('CONNACK')).reasonCode).toBe(0x8c)
    await wire.closed
  })

  test('another method in AUTH: 0x82 in CONNACK, and later in DISCONNECT [MQTT-4.12.0-5]', async () => {
    const { port } = await bench.broker({ authenticators: [scram()] })
    const early = await bench.open(port)
    const client = new Scram('user', 'pencil')
    hello(early, client.first)
    await early.receive('AUTH')
    answer(early, 'x', 0x18, 'PLAIN')
    expect((await early.receive('CONNACK')).reasonCode).toBe(0x82)
    const wire = await login(port, client)
    await wire.receive('CONNACK')
    answer(wire, client.first, 0x19, 'PLAIN')
    expect((await wire.receive('DISCONNECT')).reasonCode).toBe(0x82)
  })

  test('before CONNACK nothing but AUTH and DISCONNECT', async () => {
    const { broker, port } = await bench.broker({ authenticators: [scram()] })
    const wire = await bench.open(port)
    hello(wire, new Scram('user', 'pencil').first)
    await wire.receive('AUTH')
    wire.send({ type: 'PINGREQ' })
    await wire.closed
    const polite = await bench.open(port)
    hello(polite, new Scram('user', 'pencil').first)
    await polite.receive('AUTH')
    polite.send({ type: 'DISCONNECT', reasonCode: 0 })
    await polite.closed
    expect(broker.sessions.size).toBe(0)
  })

  test('0x19 during the first exchange: 0x82', async () => {
    const { port } = await bench.broker({ authenticators: [scram()] })
    const wire = await bench.open(port)
    hello(wire, new Scram('user', 'pencil').first)
    await wire.receive('AUTH')
    answer(wire, 'x', 0x19)
    expect((await wire.receive('CONNACK')).reasonCode).toBe(0x82)
  })

  test('re-authentication goes on beside messages, and ends with AUTH 0', async () => {
    const { port } = await bench.broker({ authenticators: [scram()] })
    const client = new Scram('user', 'pencil')
    const wire = await login(port, client)
    await wire.receive('CONNACK')
    await wire.subscribe('t')
    answer(wire, client.first, 0x19)
    const challenge = await wire.receive('AUTH')
    expect(challenge.reasonCode).toBe(0x18)
    wire.publish('t', 'meanwhile')
    expect(text((await wire.receive('PUBLISH')).payload)).toBe('meanwhile')
    answer(wire, client.final(text(challenge.properties?.authenticationData)))
    const done = await wire.receive('AUTH')
    expect(done.reasonCode).toBe(0)
    expect(client.believes(done.properties?.authenticationData)).toBe(true)
    await wire.settles()
  })

  test('a listener that asks for a prefix asks for it here too: CONNACK 0x87', async () => {
    const access = { clientIdPrefix: 'dev-' }
    const { port } = await bench.broker({ access, authenticators: [scram()] })
    const wire = await bench.open(port)
    hello(wire, new Scram('user', 'pencil').first)
    expect((await wire.receive('CONNACK')).reasonCode).toBe(0x87)
  })

  test('guessing is slowed down, by user and address; who is connected is not held up by others', async () => {
    let now = 1_000_000
    const { port } = await bench.broker({ authenticators: [scram()], now: () => now })
    const code = async (client: Scram): Promise<number> =>
      (await (await login(port, client)).receive('CONNACK')).reasonCode
    const inside = await login(port, new Scram('user', 'pencil'))
    expect((await inside.receive('CONNACK')).reasonCode).toBe(0)
    for (let i = 0; i < 4; i++) expect(await code(new Scram('user', `guess ${i}`))).toBe(0x86)
    // Not even the right one tells whether it is.
    expect(await code(new Scram('user', 'guess'))).toBe(0x9f)
    expect(await code(new Scram('user', 'pencil'))).toBe(0x9f)
    now += 60_000
    expect(await code(new Scram('user', 'pencil'))).toBe(0)
    for (let i = 0; i < 20; i++) expect(await code(new Scram(`nobody${i}`, 'x'))).toBe(0x86)
    expect(await code(new Scram('newcomer', 'x'))).toBe(0x9f)
    expect(await code(new Scram('user', 'pencil'))).toBe(0)
  })

  test('a re-authentication that fails ends the connection with 0x87 [MQTT-4.12.1-2]', async () => {
    const { port } = await bench.broker({ authenticators: [scram()] })
    const wire = await login(port, new Scram('user', 'pencil'))
    await wire.receive('CONNACK')
    const liar = new Scram('user', 'guess')
    answer(wire, liar.first, 0x19)
    answer(wire, liar.final(text((await wire.receive('AUTH')).properties?.authenticationData)))
    expect((await wire.receive('DISCONNECT')).reasonCode).toBe(0x87)
    await wire.closed
  })

  test('AUTH 0x18 when nothing is under way, and AUTH without method in CONNECT: 0x82', async () => {
    const { port } = await bench.broker({ authenticators: [scram()] })
    const wire = await login(port, new Scram('user', 'pencil'))
    await wire.receive('CONNACK')
    answer(wire, 'x')
    expect((await wire.receive('DISCONNECT')).reasonCode).toBe(0x82)
    const plain = await bench.connect(port, { clientId: 'plain' })
    answer(plain, 'x', 0x19)
    expect((await plain.receive('DISCONNECT')).reasonCode).toBe(0x82)
  })

  test('an empty first challenge when CONNECT brings no data', async () => {
    const { port } = await bench.broker({ authenticators: [scram()] })
    const wire = await bench.open(port)
    hello(wire, undefined)
    expect((await wire.receive('AUTH')).properties?.authenticationData?.length).toBe(0)
    const client = new Scram('user', 'pencil')
    answer(wire, client.first)
    answer(wire, client.final(text((await wire.receive('AUTH')).properties?.authenticationData)))
    expect((await wire.receive('CONNACK')).reasonCode).toBe(0)
  })

  test.each([
    [
      'at once',
      () => {
        throw new Error('boom')
      },
    ],
    ['later', () => Promise.reject(new Error('boom'))],
  ])('an authenticator that fails %s refuses with 0x80', async (_when, step) => {
    const broken: Authenticator = { method: 'X', begin: () => ({ step }) }
    const { port } = await bench.broker({ authenticators: [broken] })
    const wire = await bench.open(port)
    hello(wire, 'x', 'X')
    expect((await wire.receive('CONNACK')).reasonCode).toBe(0x80)
  })
})
