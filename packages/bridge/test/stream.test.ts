import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { createApi, type Engine } from '@pipit/bridge'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newEngine, newLog, until } from './scene.ts'

/** One who listens, with the events that came. */
class Ear {
  readonly events: { id?: string; event?: string; data: string }[] = []
  readonly response: IncomingMessage
  private rest = ''

  constructor(response: IncomingMessage) {
    this.response = response
    response.setEncoding('utf8').on('data', (text: string) => this.take(text))
    response.on('error', () => {})
  }

  get payloads(): string[] {
    return this.events.filter(({ id }) => id !== undefined).map(({ data }) => JSON.parse(data).payload)
  }

  private take(text: string): void {
    const blocks = (this.rest + text).split('\n\n')
    this.rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s)))
      if (fields.data !== undefined) this.events.push(fields)
    }
  }
}

async function listening(
  engine: Engine,
): Promise<(path: string, headers?: object) => Promise<IncomingMessage>> {
  const api = await createApi({ engine })
  onTestFinished(() => api.close())
  const address = await api.listen({ host: '127.0.0.1', port: 0 })
  return async (path, headers = {}) => {
    const [response] = await once(get(address + path, { agent: false, headers: { ...headers } }), 'response')
    onTestFinished(() => response.destroy())
    return response
  }
}

describe('GET /v1/stream', () => {
  test('gives what comes, and with Last-Event-ID what came in between', async () => {
    const engine = newEngine()
    const store = await newLog(engine)
    const listen = await listening(engine)
    await store('a/0', 'before')
    const ear = new Ear(await listen('/v1/stream?filter=a/%23'))
    // Until it has joined.
    await until(async () => {
      await store('a/0', 'begin')
      return ear.payloads.includes('begin')
    })
    await store('b', 'not this')
    await store('a/1', 'one')
    await until(() => ear.payloads.includes('one'))
    expect(ear.payloads).not.toContain('before')
    expect(ear.payloads).not.toContain('not this')
    const id = ear.events.at(-1)?.id
    ear.response.destroy()
    for (let i = 2; i < 1_300; i++) void store(`a/${i}`, String(i))
    await store('a/x', 'last')
    const again = new Ear(await listen('/v1/stream?filter=a/%2B', { 'last-event-id': id }))
    await until(() => again.payloads.includes('last'))
    expect(again.payloads).toEqual([...Array.from({ length: 1_298 }, (_, i) => String(i + 2)), 'last'])
    const wrong = await listen('/v1/stream', { 'last-event-id': 'x' })
    expect(wrong.statusCode).toBe(400)
  })

  test('leaves nothing out for one who keeps up, however much comes at once', async () => {
    const engine = newEngine()
    const store = await newLog(engine)
    const listen = await listening(engine)
    const large = 'x'.repeat(2_000)
    const both = async (times: number): Promise<void> => {
      await Promise.all(Array.from({ length: times }, (_, i) => store('a', large + i)))
    }
    await both(1_000)
    const ear = new Ear(await listen('/v1/stream?since=0'))
    await until(async () => {
      await store('a', 'begin')
      return ear.payloads.includes('begin')
    })
    await both(1_000)
    await store('a', 'last')
    await until(() => ear.payloads.includes('last'))
    expect(ear.events.filter(({ event }) => event === 'missed')).toEqual([])
    expect(ear.payloads.filter((payload) => payload.startsWith('x'))).toHaveLength(2_000)
  })

  test('a cursor of two numbers counts by its first', async () => {
    const engine = newEngine()
    const store = await newLog(engine)
    const listen = await listening(engine)
    for (let i = 1; i <= 3; i++) await store('a', String(i))
    expect(await engine.messages.read({ after: '1-7', limit: 10 })).toMatchObject({ next: '3', atEnd: true })
    const ear = new Ear(await listen('/v1/stream?since=1-7'))
    await until(() => ear.payloads.includes('3'))
    expect(ear.payloads).toEqual(['2', '3'])
  })

  test('says so when what one missed is no longer kept', async () => {
    const engine = newEngine()
    const store = await newLog(engine)
    const listen = await listening(engine)
    for (let i = 0; i < 10; i++) await store('a', String(i))
    await engine.messages.trim({ maximumMessages: 3 })
    const ear = new Ear(await listen('/v1/stream?filter=a', { 'last-event-id': '1' }))
    await until(() => ear.payloads.includes('9'))
    expect(ear.events[0]).toMatchObject({ event: 'missed', data: expect.stringContaining('trimmed') })
    expect(ear.payloads).toEqual(['7', '8', '9'])
  })

  test('1000 listeners with filters of their own; a slow one is left out and told what it missed', async () => {
    const engine = newEngine()
    const store = await newLog(engine)
    const listen = await listening(engine)
    const ears: Ear[] = []
    for (let i = 0; i < 1_000; i += 50) {
      const some = Array.from({ length: 50 }, (_, k) => listen(`/v1/stream?filter=room/${i + k}/%2B`))
      ears.push(...(await Promise.all(some)).map((response) => new Ear(response)))
    }
    const slow = await listen('/v1/stream?filter=%23')
    slow.pause()
    const quick = new Ear(await listen('/v1/stream?filter=%23'))
    await until(async () => {
      await store('begin', 'x')
      return quick.payloads.length > 0
    })
    // More than sockets and the limit hold together, and room for those who keep up.
    const large = 'x'.repeat(50_000)
    const rounds = 600
    for (let i = 0; i < rounds; i++) {
      await store('large', large + i)
      if (i % 50 === 0) await until(() => quick.payloads.at(-1) === large + i)
    }
    for (let i = 0; i < 1_000; i++) await store(`room/${i}/x`, String(i))
    await until(() => ears.every((ear, i) => ear.payloads.includes(String(i))))
    expect(ears.every((ear, i) => ear.payloads.join() === String(i))).toBe(true)
    const late = new Ear(slow)
    slow.resume()
    await until(() => late.events.some(({ event }) => event === 'missed'))
    const missed = JSON.parse(late.events.find(({ event }) => event === 'missed')?.data ?? '{}')
    expect(missed).toMatchObject({ reason: 'slow', count: expect.any(Number) })
    // Nothing is missing but what it was told of.
    await until(async () => {
      await store('end', 'end')
      return late.payloads.at(-1) === 'end'
    })
    const seen = late.events.filter(({ event }) => event === undefined).map(({ id }) => Number(id))
    const end = Number(late.events.at(-1)?.id)
    const first = seen[0] ?? 0
    const told = late.events
      .filter(({ event }) => event === 'missed')
      .reduce((sum, { data }) => sum + JSON.parse(data).count, 0)
    expect(seen.length + told).toBe(end - first + 1)
    expect(missed.count).toBeGreaterThan(0)
  }, 120_000)
})
