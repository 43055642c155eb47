import { createHash } from 'node:crypto'
import { connect as dial } from 'node:net'
import { type ApiOptions, createApi, type Engine, SqliteEngine } from '@pipit/bridge'
import { connect } from '@pipit/client'
import { SignJWT } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newBroker, newEngine, newFolder, newLog } from './scene.ts'

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of it, it says
  readonly body: any
}

type Ask = (
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  url: string,
  body?: unknown,
  headers?: object,
) => Promise<Answer>

async function newApi(options: Partial<ApiOptions> = {}): Promise<{ ask: Ask; engine: Engine }> {
  const engine = options.engine ?? newEngine()
  const api = await createApi({ engine, ...options })
  onTestFinished(() => api.close())
  const ask: Ask = async (method, url, body, headers = {}) => {
    const payload = body as string | object | undefined
    const response = await api.inject({ method, url, payload, headers: { ...headers } })
    const text = response.body
    return {
      status: response.statusCode,
      headers: response.headers,
      body: text.startsWith('{') ? JSON.parse(text) : text,
    }
  }
  return { ask, engine }
}

describe('POST /v1/commands', () => {
  test('answers 202 with an id, under which the command is found', async () => {
    const { ask, engine } = await newApi()
    const properties = { contentType: 'a/b', userProperties: [['k', 'v']] }
    const given = { topic: 'a/b', payload: 'ü', qos: 2, retain: true, properties }
    const { status, body, headers } = await ask('POST', '/v1/commands', { ...given, expiresIn: 60 })
    expect([status, body.status, headers['location']]).toEqual([202, 'queued', `/v1/commands/${body.id}`])
    const found = await ask('GET', `/v1/commands/${body.id}`)
    expect(found.body).toMatchObject({ id: body.id, status: 'queued', ...given, attempts: 0 })
    expect(Date.parse(found.body.expiresAt) - Date.parse(found.body.createdAt)).toBe(60_000)
    expect((await engine.commands.find(body.id, Date.now()))?.payload).toHaveLength(2)
  })

  test('takes bytes as Base64, a time, and an order', async () => {
    const { ask, engine } = await newApi()
    const notBefore = '2100-01-01T00:00:00Z'
    const given = { topic: 'a/b', payloadBase64: 'AP8=', notBefore, ordered: true }
    const { body } = await ask('POST', '/v1/commands', given)
    const command = await engine.commands.find(body.id, Date.now())
    expect([...(command?.payload ?? [])]).toEqual([0, 255])
    expect(command).toMatchObject({ orderKey: 'a/b', notBefore: Date.parse(notBefore), qos: 1 })
    expect((await ask('GET', `/v1/commands/${body.id}`)).body.payloadBase64).toBe('AP8=')
  })

  test.each([
    [{}, '/topic', 'is missing'],
    [{ topic: '' }, '/topic', 'fewer than 1'],
    [{ topic: 'a/+' }, '/topic', 'wildcard'],
    [{ topic: 'a', qos: 0 }, '/qos', 'none of the values'],
    [{ topic: 'a', payload: 5 }, '/payload', 'string'],
    [{ topic: 'a', payload: 'x', payloadBase64: 'eA==' }, '/payloadBase64', 'beside payload'],
    [{ topic: 'a', payloadBase64: 'e' }, '/payloadBase64', 'Base64'],
    [{ topic: 'a', expiresIn: -1 }, '/expiresIn', '>= 1'],
    [{ topic: 'a', notBefore: 'soon' }, '/notBefore', 'ISO 8601'],
    [{ topic: 'a', other: 1 }, '/other', 'not known'],
    [{ topic: 'a', properties: { userProperties: [['x']] } }, '/properties/userProperties/0', 'fewer than 2'],
    [{ topic: 'a', properties: { responseTopic: '#' } }, '/properties/responseTopic', 'wildcard'],
  ])('%j is answered with the field %s', async (body, field, message) => {
    const { ask } = await newApi()
    const answer = await ask('POST', '/v1/commands', body)
    expect([answer.status, answer.headers['content-type']]).toEqual([
      400,
      expect.stringContaining('application/problem+json'),
    ])
    expect(answer.body.errors).toContainEqual({ field, message: expect.stringContaining(message) })
  })

  test('an Idempotency-Key gives the same answer, and 409 for another body', async () => {
    const { ask, engine } = await newApi()
    const headers = { 'idempotency-key': 'k1' }
    const first = await ask('POST', '/v1/commands', { topic: 'a', payload: 'x' }, headers)
    const again = await ask('POST', '/v1/commands', { topic: 'a', payload: 'x' }, headers)
    expect(again.body).toEqual(first.body)
    expect((await engine.commands.counts()).queued).toBe(1)
    const other = await ask('POST', '/v1/commands', { topic: 'a', payload: 'y' }, headers)
    expect([other.status, other.body.errors[0].field]).toEqual([409, 'idempotency-key'])
    const batch = { commands: [{ topic: 'a' }, { topic: 'b' }] }
    const two = await ask('POST', '/v1/commands/batch', batch, { 'idempotency-key': 'k2' })
    expect(two.body.ids).toHaveLength(2)
    expect(await ask('POST', '/v1/commands/batch', batch, { 'idempotency-key': 'k2' })).toMatchObject({
      body: two.body,
    })
  })

  test('a batch is taken whole or not at all', async () => {
    const { ask, engine } = await newApi()
    const answer = await ask('POST', '/v1/commands/batch', { commands: [{ topic: 'a' }, { topic: 'b/#' }] })
    expect([answer.status, answer.body.errors[0].field]).toEqual([400, '/commands/1/topic'])
    expect((await engine.commands.counts()).queued).toBe(0)
  })

  test('DELETE takes a queued command back, and no other', async () => {
    const { ask, engine } = await newApi()
    const { body } = await ask('POST', '/v1/commands', { topic: 'a' })
    expect((await ask('DELETE', `/v1/commands/${body.id}`)).status).toBe(204)
    expect((await ask('GET', `/v1/commands/${body.id}`)).body.status).toBe('cancelled')
    const { body: next } = await ask('POST', '/v1/commands', { topic: 'a' })
    const lease = await engine.sessions.acquire('publisher', { owner: 'x', now: Date.now(), leaseMs: 1000 })
    await engine.commands.claim(lease ?? { session: '', epoch: 0 }, 10, Date.now())
    expect((await ask('DELETE', `/v1/commands/${next.id}`)).status).toBe(409)
    expect((await ask('DELETE', '/v1/commands/none')).status).toBe(404)
    expect((await ask('GET', '/v1/commands/none')).status).toBe(404)
  })

  test('a queue that cannot be written is 503 with Retry-After, and what was accepted is there afterwards', async () => {
    const path = `${newFolder()}/full.db`
    const small = new SqliteEngine({ path, fileLimitBytes: 400_000 })
    onTestFinished(() => small.close())
    const { ask } = await newApi({ engine: small })
    const accepted: string[] = []
    for (;;) {
      const { status, body, headers } = await ask('POST', '/v1/commands', {
        topic: 'a',
        payload: 'x'.repeat(20_000),
      })
      if (status === 202) accepted.push(body.id)
      else {
        expect([status, headers['retry-after']]).toEqual([503, '1'])
        break
      }
    }
    expect((await ask('GET', '/ready')).status).toBeOneOf([200, 503])
    await small.close()
    expect((await ask('GET', '/ready')).status).toBe(503)
    const roomy = new SqliteEngine({ path })
    onTestFinished(() => roomy.close())
    const lease = await roomy.sessions.acquire('publisher', { owner: 'x', now: Date.now(), leaseMs: 1000 })
    const { commands } = await roomy.commands.claim(lease ?? { session: '', epoch: 0 }, 100, Date.now())
    expect(commands.map(({ id }) => id)).toEqual(accepted)
  })

  test('bodies have a limit, and have to be JSON', async () => {
    const { ask } = await newApi({ bodyLimit: 1000 })
    expect((await ask('POST', '/v1/commands', { topic: 'a', payload: 'x'.repeat(2000) })).status).toBe(413)
    expect((await ask('POST', '/v1/commands', '{', { 'content-type': 'application/json' })).status).toBe(400)
    expect((await ask('POST', '/v1/commands', '<a/>', { 'content-type': 'text/xml' })).status).toBe(415)
  })
})

describe('messages', () => {
  test('GET /v1/topics/{topic} is the last value', async () => {
    const { ask, engine } = await newApi()
    const store = await newLog(engine)
    await store('a/b c/d', 'one')
    await store('a/b c/d', 'two')
    const { status, body } = await ask('GET', '/v1/topics/a/b%20c/d')
    expect([status, body.payload, body.topic]).toEqual([200, 'two', 'a/b c/d'])
    expect((await ask('GET', '/v1/topics/none')).status).toBe(404)
    expect((await ask('GET', '/v1/topics/a/%23')).status).toBe(400)
  })

  test('GET /v1/messages pages by cursor', async () => {
    const { ask, engine } = await newApi()
    const store = await newLog(engine)
    for (let i = 0; i < 25; i++) await store(i % 2 === 0 ? `even/${i}` : `odd/${i}`, String(i))
    const seen: string[] = []
    let since: string | undefined
    for (let atEnd = false; !atEnd; ) {
      const query = `filter=even/%2B&limit=4${since === undefined ? '' : `&since=${since}`}`
      const { body } = await ask('GET', `/v1/messages?${query}`)
      seen.push(...body.messages.map((each: { payload: string }) => each.payload))
      since = body.next
      atEnd = body.atEnd
    }
    expect(seen).toEqual(Array.from({ length: 13 }, (_, i) => String(i * 2)))
    for (const query of ['filter=a/%23/b', 'since=x', 'limit=0', 'limit=x', 'other=1', 'filter=$share/a/b']) {
      expect((await ask('GET', `/v1/messages?${query}`)).status, query).toBe(400)
    }
  })
})

describe('access', () => {
  const keys = [
    {
      name: 'robot',
      key: 'secret-1',
      publish: ['cmd/#'],
      subscribe: ['state/+/a'],
      rate: { perSecond: 0.001, burst: 3 },
    },
    {
      name: 'other',
      sha256: createHash('sha256').update('secret-2').digest('hex'),
      publish: [],
      subscribe: ['#'],
    },
  ]
  const as = (key: string) => ({ authorization: `Bearer ${key}` })

  test('without a key nothing is answered but health and docs', async () => {
    const { ask } = await newApi({ keys })
    const refused = await ask('GET', '/v1/messages')
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    expect((await ask('GET', '/v1/messages', undefined, as('wrong'))).status).toBe(401)
    expect((await ask('GET', '/metrics')).status).toBe(401)
    for (const path of ['/health', '/ready', '/docs', '/docs/openapi.json']) {
      expect((await ask('GET', path)).status, path).toBe(200)
    }
  })

  test('a key is for its topics only, and sees its own commands', async () => {
    const { ask } = await newApi({ keys })
    const { body } = await ask('POST', '/v1/commands', { topic: 'cmd/1' }, as('secret-1'))
    const refused = await ask('POST', '/v1/commands', { topic: 'state/1' }, as('secret-1'))
    expect([refused.status, refused.body.errors[0].field]).toEqual([403, '/topic'])
    expect((await ask('GET', `/v1/commands/${body.id}`, undefined, as('secret-2'))).status).toBe(404)
    expect((await ask('GET', '/v1/messages?filter=state/%23', undefined, as('secret-2'))).status).toBe(200)
    expect((await ask('GET', '/v1/messages?filter=$SYS/%23', undefined, as('secret-2'))).status).toBe(403)
    expect((await ask('GET', '/v1/messages?filter=state/%23', undefined, as('secret-1'))).status).toBe(403)
    const limited = await ask('GET', '/v1/messages?filter=state/%2B/a', undefined, as('secret-1'))
    expect([limited.status, Number(limited.headers['retry-after']) > 0]).toEqual([429, true])
  })

  test('a JWT says who its bearer is and what it may do', async () => {
    const secret = 'a secret of at least thirty-two bytes'
    const { ask } = await newApi({ jwt: { secret, issuer: 'us' } })
    const token = (claims: Record<string, unknown>, issuer = 'us') =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('ann')
        .setIssuer(issuer)
        .setExpirationTime('1m')
        .sign(new TextEncoder().encode(secret))
    const good = await token({ pipit: { publish: ['a/#'], subscribe: ['b/#'] } })
    expect((await ask('POST', '/v1/commands', { topic: 'a/1' }, as(good))).status).toBe(202)
    expect((await ask('POST', '/v1/commands', { topic: 'b/1' }, as(good))).status).toBe(403)
    expect((await ask('POST', '/v1/hooks', { filter: 'b/1', url: 'http://x/' }, as(good))).status).toBe(403)
    const bad = await token({ pipit: { publish: ['#'] } }, 'them')
    expect((await ask('POST', '/v1/commands', { topic: 'a/1' }, as(bad))).status).toBe(401)
    expect((await ask('POST', '/v1/commands', { topic: 'a/1' }, as(`${good}x`))).status).toBe(401)
  })

  test('keys that are not right are said so at the start', async () => {
    const engine = newEngine()
    const wrong = [{ name: 'x', key: 'k', publish: ['a/#/b'], subscribe: [] }]
    await expect(createApi({ engine, keys: wrong })).rejects.toThrow('the API key "x": "a/#/b"')
    const none = [{ name: 'x', publish: [], subscribe: [] }]
    await expect(createApi({ engine, keys: none })).rejects.toThrow('needs "key"')
  })
})

describe('the rest', () => {
  test('POST /v1/request asks a device and gives its answer', async () => {
    const { url } = await newBroker()
    const device = await connect(url)
    onTestFinished(() => device.close())
    await device.respond('echo', (request) => `you said ${request.text()}`)
    const { ask } = await newApi({ broker: { url } })
    const answer = await ask('POST', '/v1/request', { topic: 'echo', payload: 'hello' })
    expect([answer.status, answer.body.payload]).toEqual([200, 'you said hello'])
    const nobody = await ask('POST', '/v1/request', { topic: 'nobody', timeoutMs: 50 })
    expect(nobody.status).toBe(504)
  })

  test('POST /v1/request without a broker is 501', async () => {
    const { ask } = await newApi()
    expect((await ask('POST', '/v1/request', { topic: 'echo' })).status).toBe(501)
  })

  test('OpenAPI lists every route, the page needs nothing from elsewhere, metrics count', async () => {
    const { ask } = await newApi()
    const { body } = await ask('GET', '/docs/openapi.json')
    expect(Object.keys(body.paths).sort()).toEqual([
      '/health',
      '/metrics',
      '/ready',
      '/v1/commands',
      '/v1/commands/batch',
      '/v1/commands/{id}',
      '/v1/hooks',
      '/v1/hooks/{id}',
      '/v1/hooks/{id}/dead-letters',
      '/v1/messages',
      '/v1/request',
      '/v1/stream',
      '/v1/topics/{topic}',
    ])
    for (const [path, calls] of Object.entries<Record<string, { responses: object }>>(body.paths)) {
      for (const [method, { responses }] of Object.entries(calls)) {
        const good = Object.entries<{ description: string; content?: object }>(responses as never)
        const [status, answer] = good.find(([code]) => code.startsWith('2')) ?? []
        const where = `${method} ${path}`
        expect(answer?.description, where).not.toBe('Default Response')
        expect(status === '204' || answer?.content !== undefined, where).toBe(true)
        expect('401' in responses, where).toBe(!['/health', '/ready'].includes(path))
      }
    }
    expect((await ask('GET', '/docs')).body).not.toMatch(/(src|href)="?(https?:)?\/\//)
    await ask('POST', '/v1/commands', { topic: 'a' })
    expect((await ask('GET', '/metrics')).body).toContain('pipit_bridge_accepted_total 1\n')
    expect((await ask('GET', '/nothing')).body.title).toBe('There is no such thing')
  })

  test('every refusal is application/problem+json, whoever makes it', async () => {
    const { ask } = await newApi()
    for (const [method, url, status, allow] of [
      ['PUT', '/v1/commands', 405, 'POST'],
      ['POST', '/v1/topics/a/b?x=1', 405, 'GET, HEAD'],
      ['PATCH', '/v1/commands/x', 405, 'DELETE, GET, HEAD'],
      ['DELETE', '/v1/hooks/', 404, undefined],
      ['GET', '/v1/topics/%ZZ', 400, undefined],
      ['GET', '/v1/commands/%', 400, undefined],
    ] as const) {
      const { headers, ...answer } = await ask(method, url)
      expect([answer.status, answer.body.status, headers['allow']], url).toEqual([status, status, allow])
      expect(headers['content-type'], url).toBe('application/problem+json')
    }
  })

  test('what is no HTTP request is told so, and no longer listened to', async () => {
    const api = await createApi({ engine: newEngine() })
    onTestFinished(() => api.close())
    const { port } = new URL(await api.listen({ host: '127.0.0.1', port: 0 }))
    const said = async (text: string): Promise<string> => {
      const socket = dial(Number(port), '127.0.0.1').setEncoding('utf8')
      socket.write(text)
      let answer = ''
      for await (const part of socket) answer += part
      return answer
    }
    const large = `x: ${'a'.repeat(20_000)}`
    expect(await said(`GET /health HTTP/1.1\r\nhost: x\r\n${large}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 .*application\/problem\+json.*"status":431/s,
    )
    expect(await said('GET / HTTP/1.1\r\nno header\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*"status":400/s)
  })
})

test.each([
  ['headers', 'POST /v1/commands HTTP/1.1\r\nHost: x\r\nX-Slow: '],
  [
    'body',
    'POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  ],
])('a request whose %s come little by little is answered with 408, and closed', async (_what, begun) => {
  const api = await createApi({ engine: newEngine(), requestTimeoutMs: 200 })
  onTestFinished(() => api.close())
  const { port } = new URL(await api.listen({ port: 0, host: '127.0.0.1' }))
  const socket = dial({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true })
  let answer = ''
  socket
    .on('error', () => undefined)
    .on('data', (chunk) => {
      answer += String(chunk)
    })
  const closed = new Promise((resolve) => socket.once('end', resolve).once('close', resolve))
  socket.write(begun)
  const timer = setInterval(() => socket.write('x'), 20)
  await closed
  clearInterval(timer)
  socket.destroy()
  expect(answer).toMatch(/^HTTP\/1\.1 408 /)
})
