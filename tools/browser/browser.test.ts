import { Broker } from '@pipit/broker'
import { connect } from '@pipit/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { STORE_CONTRACT } from '../../packages/client/test/store-contract.ts'
import { bundle, pageBuild } from './bundle.ts'
import { hasChromium, launch, type PageServer, servePages } from './chromium.ts'

/** What the page has at hand: the client, its parts and the stores' contract. */
type PageModules = typeof import('../../packages/client/src/browser.ts') &
  typeof import('@pipit/client/aliases') &
  typeof import('@pipit/client/durability') &
  typeof import('@pipit/client/expiry') &
  typeof import('@pipit/client/identifiers') &
  typeof import('@pipit/client/metrics') &
  typeof import('@pipit/client/pings') &
  typeof import('@pipit/client/policies') &
  typeof import('@pipit/client/quarantine') &
  typeof import('@pipit/client/references') &
  typeof import('@pipit/client/requests') &
  typeof import('@pipit/client/timers') & {
    STORE_CONTRACT: typeof STORE_CONTRACT
  }

const build = await pageBuild()

const HTML = `<!doctype html><title>Pipit</title><script type="module">
const names = ${JSON.stringify([...build.keys(), 'store-contract.js'])}
globalThis.pipit = Object.assign({}, ...(await Promise.all(names.map((name) => import('/' + name)))))
</script>`

describe.skipIf(!hasChromium)('The client in Chromium', () => {
  let browser: Browser
  let pages: PageServer
  let page: Page
  let broker: Broker
  let port = 0
  let url = ''
  const pageErrors: Error[] = []

  beforeAll(async () => {
    pages = await servePages({
      '/': HTML,
      ...Object.fromEntries([...build].map(([name, bytes]) => [`/${name}`, bytes])),
      '/store-contract.js': await bundle('test/store-contract.ts'),
    })
    browser = await launch()
  })

  afterAll(async () => {
    await browser.close()
    await pages[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    broker = new Broker()
    port = (await broker.listen({ port: 0, host: '127.0.0.1' })).port
    url = `ws://127.0.0.1:${(await broker.listenWebSocket({ port: 0, host: '127.0.0.1' })).port}/mqtt`
    page = await (await browser.newContext()).newPage()
    page.on('pageerror', (error) => pageErrors.push(error))
    await page.goto(pages.origin)
    await ready()
  })

  afterEach(async () => {
    await page.context().close()
    await broker.close()
    expect(pageErrors.splice(0)).toEqual([])
  })

  const ready = () => page.waitForFunction(() => 'pipit' in globalThis)

  for (const version of ['3.1.1', '5.0'] as const) {
    for (const qos of [0, 1, 2] as const) {
      it(`publishes and receives at QoS ${qos} over WebSocket, MQTT ${version}`, async () => {
        const received = await page.evaluate(
          async ({ url, version, qos }) => {
            const { connect } = (globalThis as unknown as { pipit: PageModules }).pipit
            const client = await connect(url, { version })
            const messages = await client.subscribe('page/+', { qos })
            const { reasonCode } = await client.publish('page/one', 'Grüße, 世界', { qos })
            const next = await messages.next()
            const message = next.value
            await client.close()
            return [reasonCode, message?.topic, message?.text(), message?.qos, client.state]
          },
          { url, version, qos },
        )
        expect(received).toEqual([0, 'page/one', 'Grüße, 世界', qos, 'closed'])
      })
    }
  }

  it('exchanges properties and 1 MB with a client in Node', async () => {
    const node = await connect(`mqtt://127.0.0.1:${port}`)
    const stop = await node.respond('double', (request) => {
      const doubled = new Uint8Array(request.payload.length * 2)
      doubled.set(request.payload)
      doubled.set(request.payload, request.payload.length)
      return { payload: doubled, properties: { contentType: 'x/double', userProperties: [['a', 'ü']] } }
    })
    const answer = await page.evaluate(async (url) => {
      const { connect, requests } = (globalThis as unknown as { pipit: PageModules }).pipit
      const client = await connect(url, { version: '5.0', parts: [requests] })
      const payload = Uint8Array.from({ length: 500_000 }, (_, i) => i % 251)
      const { payload: doubled, properties } = await client.request('double', payload)
      await client.close()
      const right = doubled.every((byte, i) => byte === payload[i % payload.length])
      return [doubled.length, right, properties.contentType, properties.userProperties]
    }, url)
    expect(answer).toEqual([1_000_000, true, 'x/double', [['a', 'ü']]])
    await stop()
    await node.close()
  })

  it('connect() rejects with a code where nothing listens, and for a scheme that a page cannot reach', async () => {
    await broker.close()
    const codes = await page.evaluate(async (url) => {
      const { connect } = (globalThis as unknown as { pipit: PageModules }).pipit
      const codeOf = (error: { code?: string; name: string }) => error.code ?? error.name
      return [
        await connect(url, { reconnect: false }).then(() => 'connected', codeOf),
        await connect('mqtt://127.0.0.1').then(() => 'connected', codeOf),
      ]
    }, url)
    expect(codes).toEqual(['CONNECTION_LOST', 'TypeError'])
  })

  it('connects again by itself, and gets what was published meanwhile', async () => {
    const node = await connect(`mqtt://127.0.0.1:${port}`)
    let breakConnection = () => {}
    await page.routeWebSocket(url, (route) => {
      route.connectToServer()
      breakConnection = () => void route.close({ code: 1011 })
    })
    await page.reload()
    await ready()
    await page.evaluate(async (url) => {
      const { pipit } = globalThis as unknown as { pipit: PageModules }
      const client = await pipit.connect(url, { version: '5.0', reconnect: { maximumDelayMs: 1000 } })
      const messages = await client.subscribe('meanwhile', { qos: 1 })
      const lost = new Promise<string>((resolve) =>
        client.onDisconnect((error) => resolve((error as { code?: string }).code ?? '')),
      )
      const back = new Promise<boolean>((resolve) =>
        client.onConnect(({ sessionPresent }) => resolve(sessionPresent)),
      )
      Object.assign(globalThis, { client, messages, lost, back })
    }, url)
    breakConnection()
    await page.evaluate('lost')
    await node.publish('meanwhile', 'kept', { qos: 1 })
    const outcome = await page.evaluate(`(async () => {
      const { value } = await messages.next()
      const outcome = [await lost, await back, value.text()]
      await client.close()
      return outcome
    })()`)
    expect(outcome).toEqual(['CONNECTION_LOST', true, 'kept'])
    await node.close()
  })

  it('ends the connection with the right DISCONNECT at what is malformed', async () => {
    const said: number[][] = []
    let farewell = () => {}
    const left = new Promise<void>((resolve) => (farewell = resolve))
    await page.routeWebSocket(url, (route) => {
      const server = route.connectToServer()
      route.onMessage((bytes) => {
        said.push([...(bytes as Buffer)])
        if ((bytes as Buffer)[0] === 0xe0) farewell()
        server.send(bytes)
      })
      server.onMessage((bytes) => {
        route.send(bytes)
        // QoS 3 behind CONNACK.
        if ((bytes as Buffer)[0] === 0x20) route.send(Buffer.of(0x36, 3, 0, 1, 0x61))
      })
    })
    await page.reload()
    await ready()
    const error = await page.evaluate(async (url) => {
      const { open } = (globalThis as unknown as { pipit: PageModules }).pipit
      const client = open(url, { version: '5.0', reconnect: false })
      const ended = (await client.closed) as { code?: string; reasonCode?: number; name?: string } | undefined
      return [ended?.code, ended?.reasonCode, ended?.name]
    }, url)
    await left
    expect(error).toEqual(['MALFORMED_PACKET', 0x81, 'MqttError'])
    expect(said.at(-1)).toEqual([0xe0, 1, 0x81])
  })

  it('does with its parts what a client in Node does', async () => {
    const node = await connect(`mqtt://127.0.0.1:${port}`)
    const outcome = await page.evaluate(async (url) => {
      const pipit = (globalThis as unknown as { pipit: PageModules }).pipit
      const { aliases, expiry, identifiers, metrics, pings, policies, quarantine, references, timers } = pipit
      const parts = [aliases, expiry, identifiers, metrics, pings, policies, quarantine, references, timers]
      const client = pipit.open(url, { version: '5.0', parts, queue: { policy: 'newestPerTopic' } })
      const replaced = await Promise.allSettled(
        ['older', 'newer'].map((text) => client.publish('parts/queued', text, { qos: 1 })),
      )
      const states = client.status()
      const all = await client.subscribe('parts/#', { qos: 1 })
      const some = await client.subscribe('parts/+', { qos: 1 })
      for (const text of ['one', 'two']) {
        await client.publish('parts/a', text, { qos: 1, properties: { messageExpiryInterval: 60 } })
      }
      const texts: string[] = []
      for (const messages of [all, some]) {
        for (let i = 0; i < 2; i++) texts.push((await messages.next()).value?.text() ?? '')
      }
      const roundTrip = await client.ping()
      const keys = Object.keys(client.metrics())
      const dropped = client.metrics().dropped.queueReplaced
      await client.close()
      const last = await states.next()
      return {
        codes: replaced.map((one) => (one.status === 'fulfilled' ? 'sent' : one.reason.code)),
        texts,
        pinged: roundTrip >= 0,
        keys,
        dropped,
        state: last.value?.state,
      }
    }, url)
    expect(outcome).toEqual({
      codes: ['MESSAGE_DROPPED', 'sent'],
      texts: ['one', 'two', 'one', 'two'],
      pinged: true,
      keys: Object.keys(node.metrics()),
      dropped: 1,
      state: expect.any(String),
    })
    await node.close()
  })

  it('says which part an option or a call takes that it has not', async () => {
    const codes = await page.evaluate(async (url) => {
      const { connect, indexedDbStore } = (globalThis as unknown as { pipit: PageModules }).pipit
      const codeOf = ({ code, message }: { code?: string; message: string }) => `${code}: ${message}`
      const client = await connect(url)
      const said = [
        await connect(url, { store: indexedDbStore('x') }).then(() => 'connected', codeOf),
        await client.ping().then(() => 'pinged', codeOf),
        await client.request('a', '').then(() => 'answered', codeOf),
      ]
      await client.close()
      return said
    }, url)
    expect(codes).toEqual(
      ['durability', 'pings', 'requests'].map((part) => `NOT_SUPPORTED: NOT_SUPPORTED ${part}`),
    )
  })

  for (const behaviour of Object.keys(STORE_CONTRACT)) {
    it(`indexedDbStore ${behaviour}`, async () => {
      await page.evaluate(async (behaviour) => {
        const { STORE_CONTRACT, indexedDbStore } = (globalThis as unknown as { pipit: PageModules }).pipit
        await STORE_CONTRACT[behaviour]!(() => indexedDbStore('contract'))
      }, behaviour)
    })
  }

  it('indexedDbStore keeps what is in flight and what is queued over a reload of the page', async () => {
    const node = await connect(`mqtt://127.0.0.1:${port}`)
    const messages = await node.subscribe('kept/#', { qos: 2 })
    // The page's acknowledgements are lost on the way: its messages stay in flight.
    let lost = 0
    let losing = true
    let bothLost = () => {}
    const inFlight = new Promise<void>((resolve) => (bothLost = resolve))
    await page.routeWebSocket(url, (route) => {
      const server = route.connectToServer()
      server.onMessage((bytes) => {
        const type = (bytes as Buffer)[0]! >> 4
        if (losing && (type === 4 || type === 5)) {
          // One frame may carry both, of four bytes each.
          lost += bytes.length / 4
          if (lost === 2) bothLost()
        } else route.send(bytes)
      })
    })
    await page.reload()
    await ready()
    await page.evaluate(async (url) => {
      const { connect, durability, indexedDbStore } = (globalThis as unknown as { pipit: PageModules }).pipit
      const client = await connect(url, {
        version: '5.0',
        store: indexedDbStore('session'),
        parts: [durability],
      })
      void client.publish('kept/1', 'at least once', { qos: 1 })
      void client.publish('kept/2', 'exactly once', { qos: 2 })
    }, url)
    await inFlight
    losing = false
    await page.reload()
    await ready()
    // Another page of the same name, without a connection: what it publishes is queued behind.
    await page.evaluate(async () => {
      const { open, durability, indexedDbStore } = (globalThis as unknown as { pipit: PageModules }).pipit
      const client = open('ws://127.0.0.1:9/mqtt', { store: indexedDbStore('session'), parts: [durability] })
      client.publish('kept/3', 'queued', { qos: 2 }).catch(() => {})
      await client.close({ timeoutMs: 1 })
    })
    await page.reload()
    await ready()
    const left = await page.evaluate(async (url) => {
      const { connect, durability, indexedDbStore } = (globalThis as unknown as { pipit: PageModules }).pipit
      const client = await connect(url, {
        version: '5.0',
        store: indexedDbStore('session'),
        parts: [durability],
      })
      await client.close()
      const records = await indexedDbStore('session').open()
      return [...records.keys()]
    }, url)
    expect(left).toEqual(['c'])
    await node.publish('kept/end', '', { qos: 2 })
    const received: string[] = []
    for await (const message of messages) {
      if (message.topic === 'kept/end') break
      received.push(message.text())
    }
    expect(received.filter((text) => text !== 'at least once')).toEqual(['exactly once', 'queued'])
    expect(received).toContain('at least once')
    await node.close()
  })
})
