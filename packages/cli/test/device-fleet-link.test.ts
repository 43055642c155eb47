import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { ByteStream } from '@pipit/client'
import { checkScenario, seeded } from '@pipit/device'
import { afterEach, expect, test } from 'vitest'
import { LossyLink } from '../src/device-fleet-link.ts'
import { describeProgress } from '../src/device-fleet-view.ts'

const { network } = checkScenario({}).scenario
const plain = { ...network, latency: 1, latencySpread: 2, retransmitAfter: 5 }
const servers: Server[] = []
const sockets: Socket[] = []
const bright = () => false

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

/** A server that sends back what it gets. */
async function echo(): Promise<URL> {
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new URL(`mqtt://127.0.0.1:${(server.address() as { port: number }).port}`)
}

/** What a stream has given, and how it ended. */
class Reader {
  text = ''
  private ending: { error: unknown } | undefined = undefined
  private wake: () => void = () => {}

  constructor(stream: ByteStream) {
    stream.start({
      data: (chunk) => {
        this.text += Buffer.from(chunk).toString('latin1')
        this.wake()
      },
      closed: (error) => {
        this.ending = { error }
        this.wake()
      },
    })
  }

  async until(length: number): Promise<string> {
    while (this.text.length < length) await this.next()
    return this.text
  }

  async end(): Promise<unknown> {
    while (this.ending === undefined) await this.next()
    return this.ending.error
  }

  private next(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }
}

const alive = new AbortController().signal
const write = (stream: ByteStream, text: string) => stream.write(Buffer.from(text, 'latin1'), () => {})

test('a lossy link carries every byte, in order, and counts what it held up', async () => {
  const link = new LossyLink({ ...plain, loss: 0.3, giveUpAfter: 15 }, seeded(1), bright)
  const stream = await link.transport({ url: await echo() }, alive)
  const reader = new Reader(stream)
  const parts = Array.from({ length: 60 }, (_, i) => `part ${i};`)
  for (const part of parts) write(stream, part)
  const whole = parts.join('')
  expect(await reader.until(whole.length)).toBe(whole)
  expect(link.delays).toBeGreaterThan(5)
  stream.end()
  expect(await reader.end()).toBeUndefined()
})

test('bytes may be reused once they have left the link, not before', async () => {
  const stream = await new LossyLink(plain, seeded(1), bright).transport({ url: await echo() }, alive)
  const reader = new Reader(stream)
  for (const word of ['first', 'other']) {
    const bytes = Buffer.from(word)
    stream.write(bytes, () => bytes.fill('x'))
  }
  expect(await reader.until(10)).toBe('firstother')
  stream.destroy()
  await reader.end()
})

test('a link that loses everything ends its connection, on both sides', async () => {
  let isDark = false
  const link = new LossyLink({ ...plain, giveUpAfter: 3 }, seeded(1), () => isDark)
  const stream = await link.transport({ url: await echo() }, alive)
  const reader = new Reader(stream)
  write(stream, 'there')
  await reader.until(5)
  isDark = true
  write(stream, 'gone')
  expect(await reader.end()).toMatchObject({ code: 'ETIMEDOUT' })
  const [socket] = sockets
  if (socket !== undefined && !socket.destroyed) await once(socket, 'close')
  expect(reader.text).toBe('there')
})

test('a connection over a link that is dark is not made', async () => {
  const link = new LossyLink({ ...plain, giveUpAfter: 2 }, seeded(1), () => true)
  await expect(link.transport({ url: await echo() }, alive)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  const ended = new AbortController()
  const slow = new LossyLink({ ...plain, retransmitAfter: 60_000 }, seeded(1), () => true)
  const opening = slow.transport({ url: await echo() }, ended.signal)
  ended.abort(new Error('out of time'))
  await expect(opening).rejects.toThrow('out of time')
  expect(sockets).toEqual([])
})

test('a port that refuses is the system’s own error', async () => {
  const url = await echo()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
  const link = new LossyLink(plain, seeded(1), bright)
  await expect(link.transport({ url }, alive)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a device whose power goes is gone for its server too', async () => {
  const link = new LossyLink(plain, seeded(1), bright)
  const stream = await link.transport({ url: await echo() }, alive)
  const reader = new Reader(stream)
  write(stream, 'there')
  await reader.until(5)
  link.cut()
  expect(await reader.end()).toBeUndefined()
  const [socket] = sockets
  if (socket !== undefined && !socket.destroyed) await once(socket, 'close')
})

test('describeProgress() says how far it is, and that the broker is away', () => {
  const progress = {
    at: 4_800_000,
    of: 86_400_000,
    awake: 12,
    measured: 400,
    received: 396,
    outage: undefined,
  }
  expect(describeProgress(progress)).toBe('1 h 20 m of 1 d (5 %), 12 awake, 400 measured, 396 received')
  const outage = { at: 0, for: 1, kind: 'restart' } as const
  expect(describeProgress({ ...progress, outage })).toMatch(/, the broker is down$/)
  expect(describeProgress({ ...progress, outage: { ...outage, kind: 'unreachable' } })).toMatch(
    /, the broker is out of reach$/,
  )
})
