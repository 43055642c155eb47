import { encode, type Packet } from '@pipit/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { type ClientOptions, type MqttClient, open } from '../src/index.ts'
import { memoryBroker, type Peer, type ScriptedBroker } from './scripted-broker.ts'

const clients: MqttClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close({ force: true })
})

function start(broker: ScriptedBroker, options: ClientOptions = {}): MqttClient {
  const client = open(broker.url, {
    transport: broker.transport,
    version: '5.0',
    reconnect: { minimumDelayMs: 0, maximumDelayMs: 0 },
    ...options,
  })
  clients.push(client)
  return client
}

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.onConnect(() => resolve()))
}

const text = (payload: Uint8Array): string => new TextDecoder().decode(payload)

function publish(packetId: number, qos: 0 | 1 | 2, payload = '', dup = false) {
  return {
    type: 'PUBLISH',
    topic: 't',
    payload: Buffer.from(payload),
    qos,
    retain: false,
    dup,
    packetId,
  } as const
}

/** What a broker keeps of QoS 2 while connections come and go: one message each way. */
class QoS2Broker {
  /** Messages taken, each once. */
  readonly taken: string[] = []
  /** The client has been told that its message is complete. */
  completed = false
  /** What the client has to do next about the message to it. */
  state: 'publish' | 'release' | 'done' = 'publish'
  private readonly received = new Set<number>()

  answer(packet: Packet): Packet | undefined {
    switch (packet.type) {
      case 'PUBLISH':
        if (!this.received.has(packet.packetId)) {
          this.received.add(packet.packetId)
          this.taken.push(text(packet.payload))
        }
        return { type: 'PUBREC', packetId: packet.packetId, reasonCode: 0 }
      case 'PUBREL': {
        const known = this.received.delete(packet.packetId)
        return { type: 'PUBCOMP', packetId: packet.packetId, reasonCode: known ? 0 : 0x92 }
      }
      case 'PUBREC':
        this.state = 'release'
        return { type: 'PUBREL', packetId: packet.packetId, reasonCode: 0 }
      case 'PUBCOMP':
        this.state = 'done'
        return undefined
      default:
        return undefined
    }
  }

  /** What it sends when a connection begins. */
  greeting(again: boolean): Packet | undefined {
    if (this.state === 'publish') return publish(9, 2, 'downwards', again)
    if (this.state === 'release') return { type: 'PUBREL', packetId: 9, reasonCode: 0 }
    return undefined
  }
}

describe('QoS 2 is exactly once', () => {
  it('though the connection breaks after every byte that the broker sends', async () => {
    const broker = memoryBroker()
    const client = start(broker, { poisonLimit: 1000 })
    const state = new QoS2Broker()
    const delivered: string[] = []
    client.onMessage((message) => delivered.push(message.text()))
    const result = client.publish('t', 'upwards', { qos: 2 })
    let breaks = 0
    // Each connection lets one more byte of the broker's through than the last one did, then breaks.
    for (let allowed = 1, over = false; !over; allowed++) {
      const peer = await broker.accept()
      const { cleanStart } = await peer.expect('CONNECT')
      let left = allowed
      const send = (packet: Packet | undefined): boolean => {
        if (packet === undefined) return true
        const bytes = encode(packet, 5)
        if (left > 0) peer.sendBytes(bytes.subarray(0, left))
        left -= bytes.length
        return left >= 0
      }
      let going = send({ type: 'CONNACK', sessionPresent: !cleanStart, reasonCode: 0 })
      if (going) going = send(state.greeting(allowed > 1))
      while (going) {
        const packet = await Promise.race([peer.next(), result.then(() => state.state === 'done' && 'over')])
        if (packet === 'over') {
          over = true
          break
        }
        if (packet === undefined) throw new Error('the client hung up')
        if (packet !== false) going = send(state.answer(packet))
        else if (state.state !== 'done') going = send(state.answer((await peer.next())!))
      }
      if (over) break
      breaks++
      peer.end()
    }
    expect(breaks).toBeGreaterThan(15)
    expect(await result).toMatchObject({ reasonCode: 0 })
    expect(state.taken).toEqual(['upwards'])
    expect(delivered).toEqual(['downwards'])
  })

  it('though the connection breaks after every byte that the client sends', async () => {
    const state = new QoS2Broker()
    const delivered: string[] = []
    const broker = memoryBroker()
    let allowed = 1
    const client = start(broker, {
      poisonLimit: 1000,
      clientId: 'c',
      transport: async (target, signal) => {
        const stream = await broker.transport!(target, signal)
        let left = allowed++
        return {
          start: (receiver) => stream.start(receiver),
          pause: () => stream.pause(),
          resume: () => stream.resume(),
          end: () => stream.end(),
          destroy: () => stream.destroy(),
          write(bytes, written) {
            stream.write(bytes.subarray(0, Math.max(0, left)), written)
            left -= bytes.length
            if (left < 0) stream.end()
          },
        }
      },
    })
    client.onMessage((message) => delivered.push(message.text()))
    let settled = false
    const result = client.publish('t', 'upwards', { qos: 2 }).finally(() => {
      settled = true
    })
    let connections = 0
    let begun = false
    while (!(settled && state.state === 'done')) {
      const peer = await broker.accept()
      connections++
      if ((await peer.next()) === undefined) continue
      peer.send({ type: 'CONNACK', sessionPresent: begun, reasonCode: 0 })
      begun = true
      const greeting = state.greeting(false)
      if (greeting !== undefined) peer.send(greeting)
      for (;;) {
        const packet = await Promise.race([
          peer.next(),
          settled ? undefined : result.then(() => 'settled' as const),
        ])
        if (packet === undefined) break
        if (packet === 'settled') {
          if (state.state === 'done') break
          continue
        }
        const answer = state.answer(packet)
        if (answer !== undefined) peer.send(answer)
      }
    }
    expect(connections).toBeGreaterThan(30)
    expect(state.taken).toEqual(['upwards'])
    expect(delivered).toEqual(['downwards'])
  })
})

describe('a message that ends the connection', () => {
  it('is quarantined after three times, and the rest goes on', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const payloads = ['good 1', 'poison', 'good 2', 'good 3']
    const results = Promise.all(
      payloads.map((payload) =>
        client.publish('t', payload, { qos: 1 }).then(
          () => 'ok',
          (error: { code: string }) => error.code,
        ),
      ),
    )
    let poisoned = 0
    for (let open = true; open; ) {
      const peer = await broker.accept()
      await peer.welcome({ sessionPresent: broker.connections > 1 })
      for (;;) {
        const packet = await Promise.race([peer.next(), results.then(() => 'settled' as const)])
        if (packet === 'settled') {
          open = false
          break
        }
        if (packet?.type !== 'PUBLISH') break
        if (text(packet.payload) === 'poison') {
          poisoned++
          peer.send({ type: 'DISCONNECT', reasonCode: 0x99 })
          break
        }
        peer.send({ type: 'PUBACK', packetId: packet.packetId, reasonCode: 0 })
      }
    }
    expect(await results).toEqual(['ok', 'POISON_MESSAGE', 'ok', 'ok'])
    expect(poisoned).toBe(3)
  })
})

describe('the queue', () => {
  const nowhere = { transport: () => new Promise<never>(() => {}) }

  it('rejects with QUEUE_FULL beyond its bound of messages, and counts it', async () => {
    const client = start(memoryBroker(), { ...nowhere, queue: { limitMessages: 2 } })
    const kept = Promise.allSettled([client.publish('t', '1'), client.publish('t', '2')])
    await expect(client.publish('t', '3')).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    expect(client.metrics()).toMatchObject({ queued: 2, dropped: { queueFull: 1 } })
    await client.close({ force: true })
    for (const one of await kept) expect(one).toMatchObject({ reason: { code: 'SESSION_ENDED' } })
  })

  it('says no to 200,000 messages by its default bound, and keeps the first 100,000', async () => {
    const client = start(memoryBroker(), nowhere)
    const codes = new Map<string, number>()
    const count = (code: string): unknown => codes.set(code, (codes.get(code) ?? 0) + 1)
    const payload = Buffer.alloc(16)
    const settled = Array.from({ length: 200_000 }, () =>
      client.publish('offline', payload, { qos: 1 }).catch((error: { code: string }) => count(error.code)),
    )
    await Promise.all(settled.slice(100_000))
    expect(codes).toEqual(new Map([['QUEUE_FULL', 100_000]]))
    expect(client.metrics()).toMatchObject({ queued: 100_000, dropped: { queueFull: 100_000 } })
    await client.close({ force: true })
    await Promise.all(settled)
    expect(codes.get('SESSION_ENDED')).toBe(100_000)
  })

  it('rejects with QUEUE_FULL beyond its bound of bytes', async () => {
    const client = start(memoryBroker(), { ...nowhere, queue: { limitBytes: 100 } })
    await expect(client.publish('t', new Uint8Array(100))).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  })

  it('drops the oldest when told to, and counts it', async () => {
    const client = start(memoryBroker(), { ...nowhere, queue: { limitMessages: 1, policy: 'dropOldest' } })
    const oldest = client.publish('t', '1', { qos: 1 })
    client.publish('t', '2', { qos: 1 }).catch(() => {})
    await expect(oldest).rejects.toMatchObject({ code: 'MESSAGE_DROPPED' })
    expect(client.metrics()).toMatchObject({ queued: 1, dropped: { queueDropOldest: 1 } })
  })

  it('keeps the newest per topic when told to, and counts what it replaced', async () => {
    const broker = memoryBroker()
    const client = start(broker, { queue: { policy: 'newestPerTopic' } })
    const old = client.publish('a', 'old', { qos: 1 })
    const results = [client.publish('b', 'only', { qos: 1 }), client.publish('a', 'new', { qos: 1 })]
    await expect(old).rejects.toMatchObject({ code: 'MESSAGE_DROPPED' })
    const peer = await broker.accept()
    await peer.welcome()
    for (const payload of ['only', 'new']) {
      const packet = await peer.expect('PUBLISH')
      expect(text(packet.payload)).toBe(payload)
      peer.send({ type: 'PUBACK', packetId: packet.packetId, reasonCode: 0 })
    }
    await Promise.all(results)
    expect(client.metrics().dropped).toEqual({ queueReplaced: 1 })
  })

  it('gives up the place of what was aborted', async () => {
    const client = start(memoryBroker(), { ...nowhere, queue: { limitMessages: 100 } })
    const abort = new AbortController()
    const all = Array.from({ length: 100 }, () => client.publish('t', '1', { signal: abort.signal }))
    abort.abort()
    for (const one of await Promise.allSettled(all)) expect(one.status).toBe('rejected')
    expect(client.metrics()).toMatchObject({ queued: 0, queuedBytes: 0 })
  })

  it('lets a message expire that was not sent in time, connection or not', async () => {
    const client = start(memoryBroker(), nowhere)
    const expiring = client.publish('t', 'late', { qos: 1, properties: { messageExpiryInterval: 1 } })
    await expect(expiring).rejects.toMatchObject({ code: 'MESSAGE_EXPIRED' })
    expect(client.metrics().queued).toBe(0)
  })
})

describe('a slow receiver', () => {
  it('holds acknowledgements back, in order, while keep alive goes on', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const release: (() => void)[] = []
    client.onMessage(() => new Promise<void>((resolve) => release.push(resolve)), { concurrency: 3 })
    const peer = await broker.accept()
    const onConnect = connected(client)
    await peer.welcome()
    for (const packetId of [1, 2, 3]) peer.send(publish(packetId, 1))
    await onConnect
    const ping = client.ping()
    await peer.expect('PINGREQ')
    peer.send({ type: 'PINGRESP' })
    await ping
    expect(release.length).toBe(3)
    expect(client.metrics().unacknowledged).toBe(3)
    release[2]!()
    release[0]!()
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 1 })
    release[1]!()
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 2 })
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 3 })
  })

  it('may publish and wait for it from inside its handler', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    client.onMessage(async () => {
      await client.publish('answer', '', { qos: 1 })
    })
    const peer = await broker.accept()
    await peer.welcome()
    peer.send(publish(5, 1))
    const { packetId } = await peer.expect('PUBLISH')
    peer.send({ type: 'PUBACK', packetId, reasonCode: 0 })
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 5 })
  })

  it('refuses a message whose handler fails, and reports the error', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const errors: unknown[] = []
    client.onError((error) => errors.push(error))
    client.onMessage(async () => {
      throw new Error('handler')
    })
    const peer = await broker.accept()
    await peer.welcome()
    peer.send(publish(5, 1))
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 5, reasonCode: 0x80 })
    expect(errors).toMatchObject([{ message: 'handler' }])
  })

  it('acknowledges by hand when told to', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = client.subscribe('t', { qos: 2, acknowledge: 'manual' })
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [2] })
    const messages = await subscribing
    peer.send(publish(1, 1))
    peer.send(publish(2, 2))
    const first = (await messages.next()).value!
    const second = (await messages.next()).value!
    expect(client.metrics().unacknowledged).toBe(2)
    second.acknowledge()
    expect(await peer.next()).toMatchObject({ type: 'PUBREC', packetId: 2 })
    first.acknowledge(0x97)
    expect(await peer.next()).toMatchObject({ type: 'PUBACK', packetId: 1, reasonCode: 0x97 })
  })

  it('is not held up by an iterator that nobody reads, when there is a handler', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = client.subscribe('t', { qos: 1 })
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [1] })
    const messages = await subscribing
    peer.send(publish(1, 1, 'before'))
    await pingpong(client, peer)
    const handled: string[] = []
    client.onMessage((message) => handled.push(message.text()))
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 1 })
    peer.send(publish(2, 1, 'after'))
    expect(await peer.expect('PUBACK')).toMatchObject({ packetId: 2 })
    expect(handled).toEqual(['before', 'after'])
    const next = messages.next()
    peer.send(publish(3, 1, 'both'))
    expect((await next).value!.text()).toBe('both')
    expect(handled).toEqual(['before', 'after', 'both'])
  })

  it('loses QoS 0 by its policy, and each loss is counted', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = client.subscribe('t', { queueLimitMessages: 2 })
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [0] })
    const messages = await subscribing
    for (const payload of ['1', '2', '3', '4']) peer.send(publish(0, 0, payload))
    const ping = client.ping()
    await peer.expect('PINGREQ')
    peer.send({ type: 'PINGRESP' })
    await ping
    expect((await messages.next()).value!.text()).toBe('3')
    expect((await messages.next()).value!.text()).toBe('4')
    expect(client.metrics().dropped).toEqual({ slowReceiver: 2 })
  })
})

describe('close()', () => {
  it('sends what was published before, waits for it, and says goodbye', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const result = client.publish('t', 'last words', { qos: 1 })
    const last = client.publish('t', 'at most once')
    const closing = client.close()
    const peer = await broker.accept()
    await peer.welcome()
    const { packetId } = await peer.expect('PUBLISH')
    await peer.expect('PUBLISH')
    peer.send({ type: 'PUBACK', packetId, reasonCode: 0 })
    await peer.expect('DISCONNECT')
    await Promise.all([closing, result, last])
    expect(client.state).toBe('closed')
    expect(await client.closed).toBeUndefined()
  })

  it('says the reason that the caller chooses, with its properties', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    await new Promise<void>((resolve) => client.onConnect(() => resolve()))
    const properties = {
      sessionExpiryInterval: 7,
      reasonString: 'off to bed',
      userProperties: [['a', 'b']] as const,
    }
    const closing = client.close({ reasonCode: 0x04, properties })
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x04, properties })
    peer.end()
    await closing
    expect(await client.closed).toBeUndefined()
  })

  it('settles on a server that never answers, and so does what was pending', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const result = client.publish('t', '', { qos: 1 })
    const ending = expect(result).rejects.toMatchObject({ code: 'SESSION_ENDED' })
    const peer = await broker.accept()
    await peer.welcome()
    await peer.expect('PUBLISH')
    await client.close({ timeoutMs: 20 })
    await ending
  })

  it('ends the iterators', async () => {
    const broker = memoryBroker()
    const client = start(broker)
    const peer = await broker.accept()
    await peer.welcome()
    const subscribing = client.subscribe('t')
    peer.send({ type: 'SUBACK', packetId: (await peer.expect('SUBSCRIBE')).packetId, reasonCodes: [0] })
    const next = (await subscribing).next()
    await client.close({ force: true })
    expect(await next).toEqual({ done: true, value: undefined })
  })
})

async function pingpong(client: MqttClient, peer: Peer): Promise<void> {
  const ping = client.ping()
  await peer.expect('PINGREQ')
  peer.send({ type: 'PINGRESP' })
  await ping
}
