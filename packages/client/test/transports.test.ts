import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { browserPlatform } from '../src/browser-platform.ts'
import {
  type ByteStream,
  httpConnect,
  memoryPair,
  type NodeClientOptions,
  NodeStream,
  socks5,
  type Transport,
} from '../src/index.ts'
import { nodePlatform } from '../src/node-platform.ts'
import { httpProxy, makeCertificate, portOf, socksProxy } from './servers.ts'
import { webSocketServer } from './websocket-server.ts'

let folder = ''
let certificate: { key: Buffer; cert: Buffer }
let tlsOptions: { ca: Buffer }
const servers: { close(): unknown }[] = []
const sockets = new Set<Socket>()
const ends: End[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-transports-'))
  makeCertificate(folder)
  certificate = { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) }
  tlsOptions = { ca: certificate.cert }
})
afterEach(() => {
  for (const end of ends.splice(0)) end.stream.destroy()
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** One end of a stream, and what it was told. */
class End {
  readonly stream: ByteStream
  readonly closed: Promise<unknown>
  timesClosed = 0
  private readonly chunks: Uint8Array[] = []
  private length = 0
  private grown: () => void = () => {}
  private hasClosed!: (error: unknown) => void

  constructor(stream: ByteStream) {
    this.stream = stream
    this.closed = new Promise((resolve) => {
      this.hasClosed = resolve
    })
    ends.push(this)
  }

  start(): this {
    this.stream.start({
      data: (chunk) => {
        this.chunks.push(chunk)
        this.length += chunk.length
        this.grown()
      },
      closed: (error) => {
        this.timesClosed++
        this.hasClosed(error)
      },
    })
    return this
  }

  get received(): number {
    return this.length
  }

  /** All that has come, once it is this much. */
  async bytes(length: number): Promise<Buffer> {
    while (this.length < length) {
      await new Promise<void>((resolve) => {
        this.grown = resolve
      })
    }
    return Buffer.concat(this.chunks)
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.stream.write(bytes, resolve))
  }
}

type Pair = [ours: ByteStream, theirs: ByteStream]

async function socketServer(make: (accept: (socket: Socket) => void) => Server, where: string | 0) {
  const arrived: Socket[] = []
  let arrive: () => void = () => {}
  const server = make((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    arrived.push(socket)
    arrive()
  })
  if (where === 0) server.listen(0, '127.0.0.1')
  else server.listen(where)
  servers.push(server)
  await once(server, 'listening')
  const next = async (): Promise<ByteStream> => {
    if (arrived.length === 0) {
      await new Promise<void>((resolve) => {
        arrive = resolve
      })
    }
    return new NodeStream(arrived.shift()!)
  }
  return { port: where === 0 ? portOf(server) : 0, next }
}

const signal = new AbortController().signal

async function open(url: string, next: () => Promise<ByteStream>, options: NodeClientOptions = {}) {
  const transport: Transport = nodePlatform.transportFor(new URL(url), options)
  return Promise.all([transport({ url: new URL(url) }, signal), next()])
}

async function proxied(proxy: (servers: Server[]) => Promise<string>): Promise<[Pair, string]> {
  const proxies: Server[] = []
  const address = await proxy(proxies)
  servers.push(...proxies)
  const { port, next } = await socketServer(createServer, 0)
  const dial = address.startsWith('socks5') ? socks5(address) : httpConnect(address)
  return [await open(`mqtt://127.0.0.1:${port}`, next, { dial }), address]
}

/** Every kind of stream: how to open one, and the far end of it. */
const WAYS: Record<string, () => Promise<Pair>> = {
  tcp: async () => {
    const { port, next } = await socketServer(createServer, 0)
    return open(`mqtt://127.0.0.1:${port}`, next)
  },
  tls: async () => {
    const { port, next } = await socketServer((accept) => createTlsServer(certificate, accept), 0)
    return open(`mqtts://localhost:${port}`, next, { tls: tlsOptions })
  },
  'unix socket': async () => {
    const path = join(folder, `socket${Math.random()}`)
    const { next } = await socketServer(createServer, path)
    return open(`unix:${path}`, next)
  },
  websocket: async () => {
    const { port, next } = await webSocketServer(servers)
    return open(`ws://127.0.0.1:${port}/mqtt`, next)
  },
  'websocket over tls': async () => {
    const { port, next } = await webSocketServer(servers, certificate)
    return open(`wss://localhost:${port}/mqtt`, next, { tls: tlsOptions })
  },
  'websocket of a page': async () => {
    const { port, next } = await webSocketServer(servers)
    const url = new URL(`ws://127.0.0.1:${port}/mqtt`)
    return Promise.all([browserPlatform.transportFor(url, {})({ url }, signal), next()])
  },
  'SOCKS5 proxy': async () => (await proxied(socksProxy))[0],
  'HTTP CONNECT proxy': async () => (await proxied(httpProxy))[0],
  memory: async () => memoryPair(),
}

const pattern = (length: number): Buffer =>
  Buffer.from(new Uint8Array(length).map((_, i) => (i * 31) ^ (i >> 8)))
const SIZES = [1, 125, 126, 65_535, 65_536, 70_000, 1_048_576]

for (const [name, way] of Object.entries(WAYS)) {
  describe.skipIf(name.endsWith('page') && globalThis.WebSocket === undefined)(`stream over ${name}`, () => {
    const both = async (): Promise<[End, End]> => {
      const [ours, theirs] = await way()
      return [new End(ours).start(), new End(theirs).start()]
    }

    it('carries bytes in pieces of any size, both ways, in order', async () => {
      const [ours, theirs] = await both()
      const all = Buffer.concat(SIZES.map(pattern))
      for (const size of SIZES) {
        ours.stream.write(pattern(size), () => {})
        theirs.stream.write(pattern(size), () => {})
      }
      for (const end of [ours, theirs]) expect((await end.bytes(all.length)).equals(all)).toBe(true)
    })

    it('says when the bytes that were written may be used again', async () => {
      const [ours, theirs] = await both()
      const bytes = pattern(200_000)
      await ours.write(bytes)
      bytes.fill(0)
      expect((await theirs.bytes(bytes.length)).equals(pattern(200_000))).toBe(true)
    })

    it('delivers what came before it was started', async () => {
      const [ourStream, theirStream] = await way()
      const theirs = new End(theirStream).start()
      theirs.stream.write(Buffer.from('early'), () => {})
      // It has come when the answer to something later has: this is a turn of the loop for each layer.
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
      const ours = new End(ourStream).start()
      expect((await ours.bytes(5)).toString()).toBe('early')
    })

    it('holds back at pause() and goes on at resume(), with nothing lost', async () => {
      const [ours, theirs] = await both()
      const all = pattern(4_000_000)
      ours.stream.pause()
      for (let at = 0; at < all.length; at += 100_000) {
        theirs.stream.write(all.subarray(at, at + 100_000), () => {})
      }
      await ours.write(Buffer.from('still sending'))
      await theirs.bytes(13)
      expect(ours.received).toBeLessThan(all.length / 2)
      ours.stream.resume()
      expect((await ours.bytes(all.length)).equals(all)).toBe(true)
    })

    it('sends what was written before end(), and both ends are told once', async () => {
      const [ours, theirs] = await both()
      ours.stream.write(pattern(500_000), () => {})
      ours.stream.end()
      expect((await theirs.bytes(500_000)).equals(pattern(500_000))).toBe(true)
      expect(await ours.closed).toBeUndefined()
      await theirs.closed
      expect([ours.timesClosed, theirs.timesClosed]).toEqual([1, 1])
    })

    it('ends at once on destroy(), and both ends are told once', async () => {
      const [ours, theirs] = await both()
      ours.stream.destroy()
      ours.stream.destroy()
      await Promise.all([ours.closed, theirs.closed])
      expect([ours.timesClosed, theirs.timesClosed]).toEqual([1, 1])
    })

    it('tells of an end by the peer, in order or not, once', async () => {
      for (const way of ['end', 'destroy'] as const) {
        const [ours, theirs] = await both()
        theirs.stream[way]()
        const error = await ours.closed
        if (way === 'end') expect(error).toBeUndefined()
        expect(ours.timesClosed).toBe(1)
      }
    })
  })
}

const SILENT: Record<string, (port: number) => [url: string, options?: NodeClientOptions]> = {
  tls: (port) => [`mqtts://localhost:${port}`],
  websocket: (port) => [`ws://127.0.0.1:${port}`],
  'websocket over tls': (port) => [`wss://127.0.0.1:${port}`],
  'SOCKS5 proxy': (port) => ['mqtt://127.0.0.1:1', { dial: socks5(`socks5://127.0.0.1:${port}`) }],
  'HTTP CONNECT proxy': (port) => ['mqtt://127.0.0.1:1', { dial: httpConnect(`http://127.0.0.1:${port}`) }],
}

for (const [name, where] of Object.entries(SILENT)) {
  it(`opening over ${name} rejects with signal.reason when it is aborted, and hangs up`, async () => {
    const { port, next } = await socketServer(createServer, 0)
    const [url, options = {}] = where(port)
    const abort = new AbortController()
    const opening = nodePlatform.transportFor(new URL(url), options)({ url: new URL(url) }, abort.signal)
    const theirs = new End(await next()).start()
    abort.abort(new Error('no longer wanted'))
    await expect(opening).rejects.toThrow('no longer wanted')
    await theirs.closed
  })
}
