import { afterEach, describe, expect, it } from 'vitest'
import { type ClientOptions, type MqttClient, MqttError, open } from '../src/index.ts'
import { memoryBroker, type Peer, type ScriptedBroker } from './scripted-broker.ts'

/** How an operation ended: settled exactly once, with this code. */
interface Ending {
  code: string
  times: number
}

type Operation = (client: MqttClient, wait: { signal?: AbortSignal; timeoutMs?: number }) => Promise<unknown>

const OPERATIONS: Record<string, Operation> = {
  'publish QoS 1': (client, wait) => client.publish('a/b', 'payload', { qos: 1, ...wait }),
  'publish QoS 2': (client, wait) => client.publish('a/b', 'payload', { qos: 2, ...wait }),
  subscribe: (client, wait) => client.subscribe('a/+', { qos: 1, ...wait }),
  unsubscribe: (client, wait) => client.unsubscribe('a/+', wait),
}

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

function endingOf(promise: Promise<unknown>): Promise<Ending> {
  const ending: Ending = { code: '', times: 0 }
  return promise.then(
    () => {
      ending.times++
      ending.code = 'ok'
      return ending
    },
    (error: unknown) => {
      ending.times++
      ending.code = error instanceof MqttError ? error.code : (error as Error).name
      return ending
    },
  )
}

/** Answers the operation's packet with a refusal. */
async function refuse(peer: Peer): Promise<void> {
  const packet = await peer.next()
  switch (packet?.type) {
    case 'PUBLISH':
      peer.send({ type: packet.qos === 1 ? 'PUBACK' : 'PUBREC', packetId: packet.packetId, reasonCode: 0x97 })
      return
    case 'SUBSCRIBE':
      peer.send({ type: 'SUBACK', packetId: packet.packetId, reasonCodes: [0x87] })
      return
    case 'UNSUBSCRIBE':
      peer.send({ type: 'UNSUBACK', packetId: packet.packetId, reasonCodes: [0x87] })
      return
    default:
      throw new Error(`an operation began with ${packet?.type}`)
  }
}

/** Answers the operation's packets until it is complete. */
async function serve(peer: Peer): Promise<void> {
  const packet = await peer.next()
  switch (packet?.type) {
    case 'PUBLISH':
      if (packet.qos === 1) peer.send({ type: 'PUBACK', packetId: packet.packetId, reasonCode: 0 })
      else {
        peer.send({ type: 'PUBREC', packetId: packet.packetId, reasonCode: 0 })
        return serve(peer)
      }
      return
    case 'PUBREL':
      peer.send({ type: 'PUBCOMP', packetId: packet.packetId, reasonCode: 0 })
      return
    case 'SUBSCRIBE':
      peer.send({ type: 'SUBACK', packetId: packet.packetId, reasonCodes: [1] })
      return
    case 'UNSUBSCRIBE':
      peer.send({ type: 'UNSUBACK', packetId: packet.packetId, reasonCodes: [0] })
      return
    default:
      throw new Error(`an operation began with ${packet?.type}`)
  }
}

for (const [name, operate] of Object.entries(OPERATIONS)) {
  const isPublish = name.startsWith('publish')

  describe(`${name} settles exactly once`, () => {
    async function ending(
      script: (broker: ScriptedBroker, peer: Peer) => Promise<void>,
      options: ClientOptions = {},
      wait: { signal?: AbortSignal; timeoutMs?: number } = {},
    ): Promise<Ending> {
      const broker = memoryBroker()
      const running = start(broker, options)
      const result = endingOf(operate(running, wait))
      await script(broker, await broker.accept())
      const settled = await result
      await running.close({ force: true })
      return settled
    }

    it('when it is acknowledged', async () => {
      const result = await ending(async (_broker, peer) => {
        await peer.welcome()
        await serve(peer)
      })
      expect(result).toEqual({ code: 'ok', times: 1 })
    })

    it('when it is refused with a code: REQUEST_REFUSED', async () => {
      const result = await ending(async (_broker, peer) => {
        await peer.welcome()
        await refuse(peer)
      })
      expect(result).toEqual({ code: 'REQUEST_REFUSED', times: 1 })
    })

    it('when the connection closes before the answer and the session goes on: acknowledged later', async () => {
      const result = await ending(async (broker, peer) => {
        await peer.welcome()
        await peer.next()
        peer.end()
        const again = await broker.accept()
        await again.welcome({ sessionPresent: true })
        await serve(again)
      })
      expect(result).toEqual({ code: 'ok', times: 1 })
    })

    it(`when the session is lost: ${isPublish ? 'SESSION_ENDED' : 'asked again, acknowledged'}`, async () => {
      const result = await ending(async (broker, peer) => {
        await peer.welcome()
        await peer.next()
        peer.end()
        const again = await broker.accept()
        await again.welcome({ sessionPresent: false })
        if (!isPublish) await serve(again)
      })
      expect(result).toEqual({ code: isPublish ? 'SESSION_ENDED' : 'ok', times: 1 })
    })

    it('when the connection closes before the answer, for good: SESSION_ENDED', async () => {
      const result = await ending(
        async (_broker, peer) => {
          await peer.welcome()
          await peer.next()
          peer.end()
        },
        { reconnect: false },
      )
      expect(result).toEqual({ code: 'SESSION_ENDED', times: 1 })
    })

    it('when nothing answers in time: TIMEOUT', async () => {
      const result = await ending(
        async (_broker, peer) => {
          await peer.welcome()
          await peer.next()
        },
        {},
        { timeoutMs: 20 },
      )
      expect(result).toEqual({ code: 'TIMEOUT', times: 1 })
    })

    it('when it is aborted in flight: signal.reason', async () => {
      const abort = new AbortController()
      const result = await ending(
        async (_broker, peer) => {
          await peer.welcome()
          await peer.next()
          abort.abort()
        },
        {},
        { signal: abort.signal },
      )
      expect(result).toEqual({ code: 'AbortError', times: 1 })
    })

    it('when it was aborted before: signal.reason, and nothing is sent', async () => {
      const broker = memoryBroker()
      const running = start(broker)
      const connected = new Promise<void>((resolve) => running.onConnect(() => resolve()))
      const result = endingOf(operate(running, { signal: AbortSignal.abort() }))
      const peer = await broker.accept()
      await peer.welcome()
      await connected
      expect(await result).toEqual({ code: 'AbortError', times: 1 })
      const roundTrip = running.ping()
      await peer.expect('PINGREQ')
      peer.send({ type: 'PINGRESP' })
      await roundTrip
    })

    it('when there never is a connection: TIMEOUT', async () => {
      const running = start({
        ...memoryBroker(),
        url: 'mqtt://nowhere',
        transport: () => Promise.reject(new Error('no way there')),
      })
      expect(await endingOf(operate(running, { timeoutMs: 20 }))).toEqual({ code: 'TIMEOUT', times: 1 })
    })

    it('when there never is a connection and the client connects once: SESSION_ENDED', async () => {
      const running = start(
        {
          ...memoryBroker(),
          url: 'mqtt://nowhere',
          transport: () => Promise.reject(new Error('no way there')),
        },
        { reconnect: false },
      )
      expect(await endingOf(operate(running, {}))).toEqual({ code: 'SESSION_ENDED', times: 1 })
    })

    it('when the server takes no packet of its size: PACKET_TOO_LARGE', async () => {
      const result = await ending(async (_broker, peer) => {
        await peer.welcome({ properties: { maximumPacketSize: 8 } })
      })
      expect(result).toEqual({ code: 'PACKET_TOO_LARGE', times: 1 })
    })

    it('when the client is closed by force: SESSION_ENDED', async () => {
      const broker = memoryBroker()
      const running = start(broker)
      const result = endingOf(operate(running, {}))
      const peer = await broker.accept()
      await peer.welcome()
      await peer.next()
      await running.close({ force: true })
      expect(await result).toEqual({ code: 'SESSION_ENDED', times: 1 })
    })

    it('when the client has been closed: SESSION_ENDED', async () => {
      const running = start(memoryBroker())
      await running.close()
      expect(await endingOf(operate(running, {}))).toEqual({ code: 'SESSION_ENDED', times: 1 })
    })
  })
}

describe('publish QoS 2 settles exactly once', () => {
  it('when the connection closes after PUBREC: PUBREL again, then acknowledged', async () => {
    const broker = memoryBroker()
    const result = endingOf(start(broker).publish('a/b', 'payload', { qos: 2 }))
    const peer = await broker.accept()
    await peer.welcome()
    const { packetId } = await peer.expect('PUBLISH')
    peer.send({ type: 'PUBREC', packetId, reasonCode: 0 })
    await peer.expect('PUBREL')
    peer.end()
    const again = await broker.accept()
    await again.welcome({ sessionPresent: true })
    expect(await again.expect('PUBREL')).toMatchObject({ packetId })
    again.send({ type: 'PUBCOMP', packetId, reasonCode: 0 })
    expect(await result).toEqual({ code: 'ok', times: 1 })
  })

  it('when the connection closes after PUBREC and the session is lost: SESSION_ENDED', async () => {
    const broker = memoryBroker()
    const result = endingOf(start(broker).publish('a/b', 'payload', { qos: 2 }))
    const peer = await broker.accept()
    await peer.welcome()
    const { packetId } = await peer.expect('PUBLISH')
    peer.send({ type: 'PUBREC', packetId, reasonCode: 0 })
    await peer.expect('PUBREL')
    peer.end()
    await (await broker.accept()).welcome()
    expect(await result).toEqual({ code: 'SESSION_ENDED', times: 1 })
  })
})

describe('ping settles exactly once', () => {
  it('when there is no connection: CONNECTION_LOST', async () => {
    expect(await endingOf(start(memoryBroker()).ping())).toEqual({ code: 'CONNECTION_LOST', times: 1 })
  })

  it('when the connection closes before the answer: CONNECTION_LOST', async () => {
    const broker = memoryBroker()
    const running = start(broker)
    const connected = new Promise<void>((resolve) => running.onConnect(() => resolve()))
    const peer = await broker.accept()
    await peer.welcome()
    await connected
    const result = endingOf(running.ping())
    await peer.expect('PINGREQ')
    peer.end()
    expect(await result).toEqual({ code: 'CONNECTION_LOST', times: 1 })
  })
})
