import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { type ClientOptions, type MqttClient, open, scramSha256 } from '../src/index.ts'
import { memoryBroker, type Peer, type ScriptedBroker } from './scripted-broker.ts'

let client: MqttClient | undefined
afterEach(() => client?.close({ force: true }))

function start(broker: ScriptedBroker, options: ClientOptions = {}): MqttClient {
  client = open(broker.url, {
    transport: broker.transport,
    version: '5.0',
    reconnect: { minimumDelayMs: 0, maximumDelayMs: 0 },
    ...options,
  })
  return client
}

function connected(running: MqttClient): Promise<void> {
  return new Promise((resolve) => running.onConnect(() => resolve()))
}

const text = (payload: Uint8Array): string => new TextDecoder().decode(payload)

describe('CONNECT', () => {
  it('carries exactly the properties it is given, and nothing else', async () => {
    const broker = memoryBroker()
    start(broker, { clientId: 'fuzzish', properties: { receiveMaximum: 20 } })
    const connect = await (await broker.accept()).welcome()
    expect(connect).toMatchObject({ clientId: 'fuzzish', cleanStart: true, keepAlive: 60 })
    expect(connect.properties).toEqual({ receiveMaximum: 20 })
  })

  it('falls back from 5.0 to 3.1.1 when the server hangs up or says so, and stays there', async () => {
    const broker = memoryBroker()
    const running = start(broker, { version: 'auto' })
    const first = await broker.accept()
    expect((await first.expect('CONNECT')).protocolVersion).toBe(5)
    first.end()
    const second = await broker.accept()
    expect((await second.expect('CONNECT')).protocolVersion).toBe(4)
    second.sendBytes(Uint8Array.of(0x20, 2, 0, 1))
    const third = await broker.accept()
    expect((await third.welcome()).protocolVersion).toBe(3)
    await connected(running)
    third.end()
    expect((await (await broker.accept()).welcome()).protocolVersion).toBe(3)
  })

  it('begins a new session once and comes back to it', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    expect((await peer.welcome()).cleanStart).toBe(true)
    await connected(running)
    peer.end()
    expect((await (await broker.accept()).welcome()).cleanStart).toBe(false)
  })

  it('takes the Client Identifier that the server assigns, and comes back with it', async () => {
    const broker = memoryBroker()
    const running = start(broker, { clientId: '' })
    const peer = await broker.accept()
    const onConnect = connected(running)
    expect((await peer.welcome({ properties: { assignedClientIdentifier: 'assigned' } })).clientId).toBe('')
    await onConnect
    expect(running.clientId).toBe('assigned')
    peer.end()
    expect((await (await broker.accept()).welcome()).clientId).toBe('assigned')
  })

  it('asks for credentials on each attempt', async () => {
    const broker = memoryBroker()
    start(broker, { credentials: async (attempt) => ({ username: `user${attempt}`, password: 'secret' }) })
    const first = await broker.accept()
    expect((await first.welcome()).username).toBe('user1')
    first.end()
    expect((await (await broker.accept()).welcome()).username).toBe('user2')
  })

  it('follows a Server Reference when asked to, on CONNACK and on DISCONNECT', async () => {
    const broker = memoryBroker()
    const hosts: string[] = []
    start(broker, {
      followServerReference: true,
      transport: (target, signal) => {
        hosts.push(target.url.host)
        return broker.transport!(target, signal)
      },
    })
    const first = await broker.accept()
    await first.welcome({ reasonCode: 0x9c, properties: { serverReference: 'other:1884 third' } })
    const second = await broker.accept()
    await second.welcome()
    second.send({ type: 'DISCONNECT', reasonCode: 0x9d, properties: { serverReference: 'moved' } })
    await (await broker.accept()).welcome()
    expect(hosts).toEqual(['memory', 'other:1884', 'moved'])
  })
})

describe('flow control', () => {
  it("never has more in flight than the server's Receive Maximum", async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome({ properties: { receiveMaximum: 2 } })
    await connected(running)
    const all = [1, 2, 3, 4].map((n) => running.publish('t', String(n), { qos: 1 }))
    const first = await peer.expect('PUBLISH')
    await peer.expect('PUBLISH')
    // The next packet is not a third PUBLISH.
    const ping = running.ping()
    await peer.expect('PINGREQ')
    peer.send({ type: 'PINGRESP' })
    await ping
    expect(running.metrics()).toMatchObject({ inFlight: 2, queued: 2 })
    peer.send({ type: 'PUBACK', packetId: first.packetId, reasonCode: 0 })
    expect(text((await peer.expect('PUBLISH')).payload)).toBe('3')
    peer.send({ type: 'PUBACK', packetId: 2, reasonCode: 0 })
    const fourth = await peer.expect('PUBLISH')
    peer.send({ type: 'PUBACK', packetId: 3, reasonCode: 0 })
    peer.send({ type: 'PUBACK', packetId: fourth.packetId, reasonCode: 0 })
    await Promise.all(all)
  })

  it('ends the connection with 0x93 when the server goes beyond ours', async () => {
    const broker = memoryBroker()
    const running = start(broker, { properties: { receiveMaximum: 1 }, reconnect: false })
    running.onMessage(() => new Promise(() => {}))
    const peer = await broker.accept()
    await peer.welcome()
    for (const packetId of [1, 2]) peer.send(publish('t', packetId, 1))
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x93 })
    expect(await running.closed).toMatchObject({ code: 'PROTOCOL_ERROR', reasonCode: 0x93 })
  })

  it('assigns Topic Aliases up to the maximum of the server, the least recent one anew', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome({ properties: { topicAliasMaximum: 2 } })
    await connected(running)
    for (const topic of ['one', 'two', 'one', 'three', 'two']) await running.publish(topic, '')
    const sent = []
    for (let i = 0; i < 5; i++) {
      const { topic, properties } = await peer.expect('PUBLISH')
      sent.push([topic, properties?.topicAlias])
    }
    expect(sent).toEqual([
      ['one', 1],
      ['two', 2],
      ['', 1],
      ['three', 2],
      ['two', 1],
    ])
  })

  it('understands Topic Aliases of the server, and ends the connection with 0x94 on one out of range', async () => {
    const broker = memoryBroker()
    const running = start(broker, { properties: { topicAliasMaximum: 1 }, reconnect: false })
    const topics: string[] = []
    running.onMessage((message) => topics.push(message.topic))
    const peer = await broker.accept()
    await peer.welcome()
    peer.send({ ...publish('long/topic', 0, 0), properties: { topicAlias: 1 } })
    peer.send({ ...publish('', 0, 0), properties: { topicAlias: 1 } })
    peer.send({ ...publish('x', 0, 0), properties: { topicAlias: 2 } })
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x94 })
    expect(topics).toEqual(['long/topic', 'long/topic'])
  })

  it('refuses at the call what the server announced that it does not take', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    const properties = {
      maximumQoS: 1,
      retainAvailable: 0,
      wildcardSubscriptionAvailable: 0,
      sharedSubscriptionAvailable: 0,
    } as const
    await peer.welcome({ properties })
    await connected(running)
    await expect(running.publish('t', '', { qos: 2 })).rejects.toMatchObject({ reasonCode: 0x9b })
    await expect(running.publish('t', '', { retain: true })).rejects.toMatchObject({ reasonCode: 0x9a })
    await expect(running.subscribe('a/+')).rejects.toMatchObject({ reasonCode: 0xa2 })
    await expect(running.subscribe('$share/g/a')).rejects.toMatchObject({ reasonCode: 0x9e })
  })
})

describe('subscribe', () => {
  it('gives each filter its own result', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = running.subscribe(['a', { filter: 'b', qos: 2 }, 'c'], { qos: 1 })
    const { packetId, subscriptions } = await peer.expect('SUBSCRIBE')
    expect(subscriptions.map((one) => one.qos)).toEqual([1, 2, 1])
    peer.send({ type: 'SUBACK', packetId, reasonCodes: [1, 0x87, 0] })
    const messages = await subscribing
    expect([...messages.granted]).toEqual([
      ['a', 1],
      ['b', 0x87],
      ['c', 0],
    ])
  })

  it('routes by Subscription Identifier where filters overlap: each copy to its own iterator', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribe = async (filter: string) => {
      const subscribing = running.subscribe(filter)
      const request = await peer.expect('SUBSCRIBE')
      return { subscribing, request }
    }
    const one = await subscribe('a/#')
    expect(one.request.properties?.subscriptionIdentifiers).toBeUndefined()
    peer.send({ type: 'SUBACK', packetId: one.request.packetId, reasonCodes: [0] })
    const wide = await one.subscribing
    const two = await subscribe('a/+')
    // The older one is made again with an identifier, without its retained messages.
    const requests = [two.request, await peer.expect('SUBSCRIBE')]
    const identifiers = new Map<string, number>()
    for (const request of requests) {
      identifiers.set(request.subscriptions[0]!.topicFilter, request.properties!.subscriptionIdentifiers![0]!)
      peer.send({ type: 'SUBACK', packetId: request.packetId, reasonCodes: [0] })
    }
    expect(
      requests.find((one) => one.subscriptions[0]!.topicFilter === 'a/#')!.subscriptions[0]!.retainHandling,
    ).toBe(2)
    const narrow = await two.subscribing
    for (const filter of ['a/#', 'a/+']) {
      const subscriptionIdentifiers = [identifiers.get(filter)!]
      peer.send({
        ...publish('a/b', 0, 0),
        payload: Buffer.from(filter),
        properties: { subscriptionIdentifiers },
      })
    }
    expect((await wide.next()).value!.text()).toBe('a/#')
    expect((await narrow.next()).value!.text()).toBe('a/+')
    // A message for both, as other servers send it.
    peer.send({ ...publish('a/b', 0, 0), properties: { subscriptionIdentifiers: [...identifiers.values()] } })
    expect((await wide.next()).done).toBe(false)
    expect((await narrow.next()).done).toBe(false)
  })

  it('subscribes again when the session is gone, and tells the iterator when that is refused', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = running.subscribe('a', { qos: 1 })
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [1] })
    const messages = await subscribing
    peer.end()
    const second = await broker.accept()
    await second.welcome()
    const again = await second.expect('SUBSCRIBE')
    expect(again.subscriptions).toMatchObject([{ topicFilter: 'a', qos: 1 }])
    second.send({ type: 'SUBACK', packetId: again.packetId, reasonCodes: [0x87] })
    await expect(messages.next()).rejects.toMatchObject({ code: 'REQUEST_REFUSED', reasonCode: 0x87 })
  })

  it('ends the connection on a SUBACK of another length', async () => {
    const broker = memoryBroker()
    const running = start(broker, { reconnect: false })
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = running.subscribe('a')
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [0, 0] })
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x82 })
    await expect(subscribing).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  })

  it('carries User Properties, there and back', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const userProperties = [
      ['tenant', 'a'],
      ['tenant', 'b'],
    ] as const
    const subscribing = running.subscribe('t', { properties: { userProperties } })
    const subscribe = await peer.expect('SUBSCRIBE')
    expect(subscribe.properties).toEqual({ userProperties })
    peer.send({ type: 'SUBACK', packetId: subscribe.packetId, reasonCodes: [0] })
    await subscribing
    const unsubscribing = running.unsubscribe('t', { properties: { userProperties } })
    const unsubscribe = await peer.expect('UNSUBSCRIBE')
    expect(unsubscribe.properties).toEqual({ userProperties })
    const { packetId } = unsubscribe
    peer.send({ type: 'UNSUBACK', packetId, reasonCodes: [0], properties: { reasonString: 'as you wish' } })
    expect((await unsubscribing).properties).toEqual({ reasonString: 'as you wish' })
  })

  it('unsubscribes when the loop is left', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = running.subscribe('a', { qos: 1 })
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [1] })
    const messages = await subscribing
    peer.send(publish('a', 7, 1))
    const loop = (async () => {
      for await (const message of messages) return message.packetId
      return 0
    })()
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 7 })
    const { packetId, topicFilters } = await peer.expect('UNSUBSCRIBE')
    expect(topicFilters).toEqual(['a'])
    peer.send({ type: 'UNSUBACK', packetId, reasonCodes: [0] })
    expect(await loop).toBe(7)
  })
})

describe('request and response', () => {
  it('answers by Response Topic and Correlation Data', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const response = running.request('service', 'question', { timeoutMs: 5000, qos: 0 })
    const subscribe = await peer.expect('SUBSCRIBE')
    peer.send({ type: 'SUBACK', packetId: subscribe.packetId, reasonCodes: [1] })
    const { properties } = await peer.expect('PUBLISH')
    expect(subscribe.subscriptions[0]!.topicFilter).toBe(properties!.responseTopic)
    const correlationData = properties!.correlationData!
    peer.send({
      ...publish(properties!.responseTopic!, 0, 0),
      payload: Buffer.from('answer'),
      properties: { correlationData },
    })
    expect((await response).text()).toBe('answer')
  })

  it('responds', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const responding = running.respond('service', (request) => `${request.text()}!`)
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [1] })
    await responding
    const correlationData = Uint8Array.of(1, 2, 3)
    peer.send({
      ...publish('service', 0, 0),
      payload: Buffer.from('hello'),
      properties: { responseTopic: 'back', correlationData },
    })
    const answer = await peer.expect('PUBLISH')
    expect(answer).toMatchObject({ topic: 'back' })
    expect(text(answer.payload)).toBe('hello!')
    expect([...answer.properties!.correlationData!]).toEqual([1, 2, 3])
  })

  it('rejects with TIMEOUT when nobody answers', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const response = running.request('service', 'question', { timeoutMs: 20, qos: 0 })
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [1] })
    await expect(response).rejects.toMatchObject({ code: 'TIMEOUT' })
  })
})

/** The server's side of SCRAM-SHA-256, from RFC 5802. */
function scramServer(password: string) {
  const salt = randomBytes(16)
  const hmac = (key: Uint8Array, data: string) => createHmac('sha256', key).update(data).digest()
  let bare = ''
  let first = ''
  return {
    first(clientFirst: Uint8Array): Uint8Array {
      bare = text(clientFirst).slice(3)
      first = `r=${/r=(.*)/.exec(bare)![1]}server,s=${salt.toString('base64')},i=4096`
      return Buffer.from(first)
    },
    final(clientFinal: Uint8Array): Uint8Array | undefined {
      const [withoutProof, proof] = text(clientFinal).split(',p=') as [string, string]
      const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256')
      const message = `${bare},${first},${withoutProof}`
      const clientKey = hmac(salted, 'Client Key')
      const stored = createHash('sha256').update(clientKey).digest()
      const signature = hmac(stored, message)
      const shown = Buffer.from(proof, 'base64').map((byte, i) => byte ^ signature[i]!)
      if (!Buffer.from(shown).equals(clientKey)) return undefined
      return Buffer.from(`v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`)
    },
  }
}

describe('enhanced authentication', () => {
  const authenticationMethod = 'SCRAM-SHA-256'

  async function converse(peer: Peer, password: string): Promise<void> {
    const server = scramServer(password)
    const connect = await peer.expect('CONNECT')
    expect(connect.properties?.authenticationMethod).toBe(authenticationMethod)
    const authenticationData = server.first(connect.properties!.authenticationData!)
    peer.send({ type: 'AUTH', reasonCode: 0x18, properties: { authenticationMethod, authenticationData } })
    const auth = await peer.expect('AUTH')
    const final = server.final(auth.properties!.authenticationData!)
    const properties = { authenticationMethod, authenticationData: final ?? Buffer.from('v=wrong') }
    peer.send({ type: 'CONNACK', sessionPresent: false, reasonCode: 0, properties })
  }

  it('proves both sides with SCRAM-SHA-256, and again on the live connection', async () => {
    const broker = memoryBroker()
    const running = start(broker, { authenticator: scramSha256({ username: 'ann,a', password: 'pencil' }) })
    const peer = await broker.accept()
    const onConnect = connected(running)
    await converse(peer, 'pencil')
    await onConnect
    const again = running.reauthenticate()
    const server = scramServer('pencil')
    const begin = await peer.expect('AUTH')
    expect(begin.reasonCode).toBe(0x19)
    const first = server.first(begin.properties!.authenticationData!)
    peer.send({
      type: 'AUTH',
      reasonCode: 0x18,
      properties: { authenticationMethod, authenticationData: first },
    })
    const final = server.final((await peer.expect('AUTH')).properties!.authenticationData!)
    peer.send({
      type: 'AUTH',
      reasonCode: 0,
      properties: { authenticationMethod, authenticationData: final },
    })
    await again
  })

  it('goes with fresh credentials too', async () => {
    const broker = memoryBroker()
    start(broker, {
      authenticator: scramSha256({ username: 'ann', password: 'pencil' }),
      credentials: (attempt) => ({ username: `token${attempt}`, password: 'fresh' }),
    })
    for (const attempt of [1, 2]) {
      const peer = await broker.accept()
      const connect = await peer.expect('CONNECT')
      expect([connect.username, text(connect.password!)]).toEqual([`token${attempt}`, 'fresh'])
      expect(connect.properties?.authenticationMethod).toBe(authenticationMethod)
      expect(text(connect.properties!.authenticationData!)).toContain('n=ann')
      peer.end()
    }
  })

  it('does not accept a server that does not know the password', async () => {
    const broker = memoryBroker()
    const authenticator = scramSha256({ username: 'ann', password: 'pencil' })
    const running = start(broker, { authenticator, reconnect: false })
    await converse(await broker.accept(), 'another')
    expect(await running.closed).toMatchObject({ code: 'AUTHENTICATION_FAILED' })
  })

  it('ends the connection on AUTH that nobody asked for', async () => {
    const broker = memoryBroker()
    const running = start(broker, { reconnect: false })
    const peer = await broker.accept()
    await peer.welcome()
    peer.send({ type: 'AUTH', reasonCode: 0x18, properties: { authenticationMethod: 'x' } })
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x82 })
    await running.closed
  })
})

function publish(topic: string, packetId: number, qos: 0 | 1 | 2) {
  return {
    type: 'PUBLISH',
    topic,
    payload: new Uint8Array(0),
    qos,
    retain: false,
    dup: false,
    packetId,
  } as const
}
