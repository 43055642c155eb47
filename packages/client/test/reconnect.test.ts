import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { fullJitter } from '../src/backoff.ts'
import { MqttClient } from '../src/client.ts'
import { EVERY_PART } from '../src/every-part.ts'
import { type ClientOptions, open } from '../src/index.ts'
import { nodePlatform } from '../src/node-platform.ts'
import type { Platform } from '../src/platform.ts'
import { memoryBroker, type ScriptedBroker } from './scripted-broker.ts'

const clients: MqttClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close({ force: true })
})

/** A platform whose time is told by the test. */
class TestPlatform implements Platform {
  readonly parts = EVERY_PART
  readonly transportFor = nodePlatform.transportFor
  readonly defer = nodePlatform.defer
  readonly random = (): number => 0.5
  time = 0
  /** Delays asked for that were not cleared. */
  readonly timers = new Map<object, { readonly due: number; readonly run: () => void }>()
  readonly now = (): number => this.time
  readonly setTimer = (run: () => void, ms: number): unknown => {
    const timer = {}
    this.timers.set(timer, { due: this.time + ms, run })
    return timer
  }
  readonly clearTimer = (timer: unknown): void => {
    this.timers.delete(timer as object)
  }

  /** Lets time pass, and all that comes of it happen. */
  async pass(ms: number): Promise<void> {
    const until = this.time + ms
    for (;;) {
      await settle()
      const due = [...this.timers].filter(([, timer]) => timer.due <= until)
      const [next] = due.sort(([, a], [, b]) => a.due - b.due)
      if (next === undefined) break
      this.time = Math.max(this.time, next[1].due)
      this.timers.delete(next[0])
      next[1].run()
    }
    this.time = until
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

function start(platform: Platform, broker: ScriptedBroker, options: ClientOptions = {}): MqttClient {
  const client = new MqttClient(
    platform,
    broker.url,
    { transport: broker.transport, version: '5.0', ...options },
    true,
  )
  clients.push(client)
  return client
}

describe('fullJitter()', () => {
  it('is random between 0 and a bound that doubles up to its maximum', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1000].map((failures) =>
      fullJitter(failures, 1000, 120_000, 0.999999),
    )
    const expected = [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 120_000, 120_000, 120_000]
    expect(bounds).toEqual(expected.map((bound) => bound - 1))
    expect(fullJitter(5, 1000, 120_000, 0)).toBe(0)
  })
})

describe('reconnection', () => {
  it('waits longer after each failure, tells of it, and begins anew after a connection that lasted', async () => {
    const platform = new TestPlatform()
    const broker = memoryBroker()
    let reachable = false
    const client = start(platform, broker, {
      alertAfterFailures: 2,
      transport: (target, signal) =>
        reachable ? broker.transport!(target, signal) : Promise.reject(new Error('unreachable')),
    })
    const waits: (number | undefined)[] = []
    const states: string[] = []
    const following = (async () => {
      for await (const status of client.status()) {
        states.push(status.state)
        if (status.state === 'waiting') waits.push(status.retryInMs)
      }
    })()
    const alerts: number[] = []
    client.onAlert(({ failures }) => alerts.push(failures))
    await platform.pass(500 + 1000 + 2000)
    expect(waits).toEqual([500, 1000, 2000, 4000])
    expect(alerts).toEqual([2, 4])
    reachable = true
    await platform.pass(4000)
    const peer = await broker.accept()
    await peer.welcome()
    await settle()
    expect(client.state).toBe('connected')
    await platform.pass(20_000)
    peer.end()
    await settle()
    expect(waits.at(-1)).toBe(500)
    expect(client.metrics()).toMatchObject({ attempts: 5, reconnects: 0, connectedMs: 20_000 })
    expect(client.metrics().failures).toEqual({ CONNECTION_LOST: 5 })
    await client.close()
    await following
    expect(states.at(-1)).toBe('closed')
  })

  it('stops on what cannot heal, unless told otherwise', async () => {
    for (const reasonCode of [0x86, 0x87, 0x8a] as const) {
      const broker = memoryBroker()
      const client = start(new TestPlatform(), broker)
      await (await broker.accept()).welcome({ reasonCode })
      expect(await client.closed).toMatchObject({ code: 'CONNECTION_REFUSED', reasonCode })
    }
    const platform = new TestPlatform()
    const broker = memoryBroker()
    start(platform, broker, { reconnect: { retryOn: () => true } })
    await (await broker.accept()).welcome({ reasonCode: 0x87 })
    await platform.pass(500)
    await (await broker.accept()).welcome()
  })

  it('gives up after maximumAttempts', async () => {
    const platform = new TestPlatform()
    const client = start(platform, memoryBroker(), {
      reconnect: { maximumAttempts: 3 },
      transport: () => Promise.reject(new Error('unreachable')),
    })
    await platform.pass(10_000)
    expect(await client.closed).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(client.metrics().attempts).toBe(3)
  })

  it('tries several servers in turn', async () => {
    const platform = new TestPlatform()
    const hosts: string[] = []
    const client = new MqttClient(
      platform,
      ['mqtt://one', 'mqtt://two', 'mqtt://three'],
      {
        transport: (target) => {
          hosts.push(target.url.host)
          return Promise.reject(new Error('unreachable'))
        },
      },
      true,
    )
    clients.push(client)
    await platform.pass(500 + 1000 + 2000)
    expect(hosts).toEqual(['one', 'two', 'three', 'one'])
  })

  it('gives up a connection that is not there within connectTimeoutMs', async () => {
    const platform = new TestPlatform()
    const broker = memoryBroker()
    const client = start(platform, broker, { connectTimeoutMs: 3000, reconnect: false })
    await (await broker.accept()).expect('CONNECT')
    await platform.pass(3000)
    expect(await client.closed).toMatchObject({ code: 'TIMEOUT' })
  })
})

describe('keep alive', () => {
  it('pings when the line is quiet, and notices a half-open connection within 1.5 intervals', async () => {
    const platform = new TestPlatform()
    const broker = memoryBroker()
    const client = start(platform, broker, { keepAlive: 10, reconnect: false })
    const peer = await broker.accept()
    await peer.welcome()
    await settle()
    await platform.pass(10_000)
    await peer.expect('PINGREQ')
    peer.send({ type: 'PINGRESP' })
    await platform.pass(10_000)
    await peer.expect('PINGREQ')
    await platform.pass(4_900)
    expect(client.state).toBe('connected')
    await platform.pass(200)
    expect(await client.closed).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it("takes the server's keep alive instead of its own", async () => {
    const platform = new TestPlatform()
    const broker = memoryBroker()
    start(platform, broker, { keepAlive: 600 })
    const peer = await broker.accept()
    await peer.welcome({ properties: { serverKeepAlive: 5 } })
    await settle()
    await platform.pass(5_000)
    await peer.expect('PINGREQ')
  })
})

describe('open() returns in under 5 ms', () => {
  async function elapsed(url: string): Promise<number> {
    // Once before, so that it is not the loading of code that is measured.
    await open('mqtt://127.0.0.1:1').close({ force: true })
    const begun = performance.now()
    const client = open(url, { reconnect: false })
    const took = performance.now() - begun
    clients.push(client)
    return took
  }

  it('when the port is closed', async () => {
    expect(await elapsed('mqtt://127.0.0.1:1')).toBeLessThan(5)
  })

  it('when the port accepts and says nothing', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    expect(await elapsed(`mqtt://127.0.0.1:${(server.address() as { port: number }).port}`)).toBeLessThan(5)
    for (const client of clients.splice(0)) await client.close({ force: true })
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  it('when the host drops packets', async () => {
    expect(await elapsed('mqtt://192.0.2.1:1883')).toBeLessThan(5)
  })
})
