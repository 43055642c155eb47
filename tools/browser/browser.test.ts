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
  typeof import('@pipit/client/authentication') &
  typeof import('@pipit/client/durability') &
  typeof import('@pipit/client/quarantine') &
  typeof import('@pipit/client/requests') & {
    STORE_CONTRACT: typeof STORE_CONTRACT
  }

const HTML = `<!doctype html><title>Pipit</title><script type="module">
const names = ['client', 'aliases', 'authentication', 'durability', 'quarantine', 'requests', 'store-contract']
globalThis.pipit = Object.assign({}, ...(await Promise.all(names.map((name) => import('/' + name + '.js')))))
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
      ...Object.fromEntries([...(await pageBuild())].map(([name, bytes]) => [`/${name}`, bytes])),
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
