import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createApi, Worker } from '@pipit/bridge'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newBroker, newEngine, newLog, until } from './scene.ts'

interface Delivery {
  readonly body: string
  readonly headers: IncomingMessage['headers']
}

describe('webhooks', () => {
  test('are signed, tried again, given up on, and one does not wait for another', async () => {
    const { url } = await newBroker()
    const engine = newEngine()
    const store = await newLog(engine)
    const deliveries: Record<string, Delivery[]> = { '/good': [], '/bad': [], '/flaky': [] }
    const receiver = createServer(async (request, response) => {
      let body = ''
      for await (const part of request) body += part
      const list = deliveries[request.url ?? ''] ?? []
      list.push({ body, headers: request.headers })
      const fails = request.url === '/bad' || (request.url === '/flaky' && list.length === 1)
      response.writeHead(fails ? 500 : 204).end()
    }).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    onTestFinished(() => void receiver.close())
    const { port } = receiver.address() as { port: number }
    const api = await createApi({ engine })
    onTestFinished(() => api.close())
    const ids: Record<string, string> = {}
    let secret = ''
    for (const path of Object.keys(deliveries)) {
      const payload = { filter: 'a/#', url: `http://127.0.0.1:${port}${path}` }
      const response = await api.inject({ method: 'POST', url: '/v1/hooks', payload })
      expect(response.statusCode).toBe(201)
      ids[path] = response.json().id
      if (path === '/good') secret = response.json().secret
    }
    const worker = new Worker({
      engine,
      broker: { url },
      hooks: { maximumAttempts: 3, firstRetryMs: 20, inside: true },
    })
    worker.start()
    onTestFinished(() => worker.stop())
    for (const text of ['one', 'two', 'three']) await store('a/b', text)
    await store('b', 'not this')
    const of = (path: string): string[] =>
      (deliveries[path] ?? []).map(({ body }) => JSON.parse(body).payload)
    await until(() => of('/good').length === 3 && of('/flaky').length === 4 && of('/bad').length === 9)
    expect(of('/good')).toEqual(['one', 'two', 'three'])
    expect(of('/flaky')).toEqual(['one', 'one', 'two', 'three'])
    expect(of('/bad')).toEqual(['one', 'one', 'one', 'two', 'two', 'two', 'three', 'three', 'three'])
    const [first] = deliveries['/good'] ?? []
    const [, time, signature] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(first?.headers['pipit-signature'])) ?? []
    expect(createHmac('sha256', secret).update(`${time}.${first?.body}`).digest('hex')).toBe(signature)
    const dead = await until(async () => {
      const found = await api.inject({ url: `/v1/hooks/${ids['/bad']}/dead-letters` })
      return found.json().deadLetters.length === 3 && found.json().deadLetters
    })
    expect(dead[0]).toMatchObject({ topic: 'a/b', reason: 'the answer was 500' })
    expect((await api.inject({ url: '/v1/hooks' })).json().hooks).toHaveLength(3)
    const gone = await api.inject({ method: 'DELETE', url: `/v1/hooks/${ids['/bad']}` })
    expect(gone.statusCode).toBe(204)
    expect((await api.inject({ url: '/v1/hooks' })).json().hooks).toHaveLength(2)
    expect((await api.inject({ url: `/v1/hooks/${ids['/bad']}/dead-letters` })).statusCode).toBe(404)
  })

  test('an address that is none is said so', async () => {
    const api = await createApi({ engine: newEngine() })
    onTestFinished(() => api.close())
    for (const url of ['ftp://x/', 'x', 'file:///etc/passwd']) {
      const response = await api.inject({ method: 'POST', url: '/v1/hooks', payload: { filter: 'a', url } })
      expect([response.statusCode, response.json().errors[0].field]).toEqual([400, '/url'])
    }
    const payload = { filter: 'a', url: 'http://x/', secret: 'sixteen letters \0' }
    const response = await api.inject({ method: 'POST', url: '/v1/hooks', payload })
    expect([response.statusCode, response.json().errors[0].field]).toEqual([400, '/secret'])
  })

  test('reach nothing inside, by whatever name, unless the worker lets them', async () => {
    const { url } = await newBroker()
    const engine = newEngine()
    const store = await newLog(engine)
    let asked = 0
    const receiver = createServer((_, response) => {
      asked++
      response.writeHead(302, { location: '/elsewhere' }).end()
    }).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    onTestFinished(() => void receiver.close())
    const { port } = receiver.address() as { port: number }
    const api = await createApi({ engine })
    onTestFinished(() => api.close())
    const worker = new Worker({ engine, broker: { url }, hooks: { maximumAttempts: 1 } })
    worker.start()
    onTestFinished(() => worker.stop())
    const reasonFor = async (host: string): Promise<string> => {
      const payload = { filter: 'a', url: `http://${host}:${port}/` }
      const { id } = (await api.inject({ method: 'POST', url: '/v1/hooks', payload })).json()
      await store('a', 'x')
      return until(async () => {
        const dead = await api.inject({ url: `/v1/hooks/${id}/dead-letters` })
        return dead.json().deadLetters[0]?.reason
      })
    }
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0']) {
      expect(await reasonFor(host), host).toContain('is inside, where webhooks may not reach')
    }
    expect(asked).toBe(0)
    await worker.stop()
    const other = new Worker({ engine, broker: { url }, hooks: { maximumAttempts: 1, inside: true } })
    other.start()
    onTestFinished(() => other.stop())
    // Where it would send us is not gone to.
    expect(await reasonFor('localhost')).toBe('the answer was 302')
  })

  test('for addresses inside are refused at once where there are keys', async () => {
    const keys = [{ name: 'k', key: 'k', publish: [], subscribe: ['#'] }]
    const headers = { 'x-api-key': 'k' }
    const payload = { filter: 'a', url: 'http://169.254.169.254/latest' }
    for (const [hooksInside, status] of [
      [undefined, 400],
      [true, 201],
    ] as const) {
      const api = await createApi({ engine: newEngine(), keys, hooksInside })
      onTestFinished(() => api.close())
      const response = await api.inject({ method: 'POST', url: '/v1/hooks', payload, headers })
      expect(response.statusCode).toBe(status)
      if (status === 400) expect(response.json().errors[0].field).toBe('/url')
    }
  })
})
