import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, get, request, type Server } from 'node:http'
import { connect as connectSocket, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import { encode } from '@pipit/protocol'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import type { Accept, ByteStream, Listener } from '../src/listeners/stream.ts'
import { listenTcp } from '../src/listeners/tcp.ts'
import { listenWebSocket } from '../src/listeners/websocket.ts'

/** The peer's side: bytes, whatever carries them. */
interface Peer {
  readonly address: string
  send(bytes: Uint8Array): void
  /** Settles once this much has come. */
  receives(length: number): Promise<Buffer>
  pause(): void
  resume(): void
  close(): void
  /** Settles when the connection is over. */
  readonly closed: Promise<void>
}

interface Kind {
  readonly name: string
  listen(accept: Accept): Promise<Listener>
  connect(listener: Listener): Promise<Peer>
}

const folder = mkdtempSync(join(tmpdir(), 'pipit-listeners-'))
const cleanUp: (() => unknown)[] = []
let paths = 0

afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})
afterAll(() => rmSync(folder, { recursive: true }))

function collector(): Pick<Peer, 'receives'> & { took(bytes: Buffer): void } {
  const got: Buffer[] = []
  let total = 0
  const looks = new Set<() => void>()
  return {
    took: (bytes) => {
      got.push(bytes)
      total += bytes.length
      for (const look of looks) look()
    },
    receives: (length) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (total < length) return
          looks.delete(look)
          resolve(Buffer.concat(got))
        }
        looks.add(look)
        look()
      }),
  }
}

async function socketPeer(socket: Socket, hello?: Buffer): Promise<Peer> {
  cleanUp.push(() => socket.destroy())
  await once(socket, 'connect')
  if (hello !== undefined) socket.write(hello)
  const { took, receives } = collector()
  socket.on('data', took).on('error', () => undefined)
  return {
    address: socket.localAddress === undefined ? 'unix:0' : `${socket.localAddress}:${socket.localPort}`,
    send: (bytes) => void socket.write(bytes),
    receives,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.end(),
    closed: once(socket, 'close').then(() => undefined),
  }
}

async function webSocketPeer(url: string): Promise<Peer> {
  const webSocket = new WebSocket(url, ['mqtt'])
  cleanUp.push(() => webSocket.terminate())
  const { took, receives } = collector()
  webSocket.on('message', took).on('error', () => undefined)
  const opened = once(webSocket, 'open')
  const [response] = (await once(webSocket, 'upgrade')) as [{ socket: Socket }]
  const { localAddress, localPort } = response.socket
  await opened
  return {
    address: `${localAddress}:${localPort}`,
    send: (bytes) => webSocket.send(bytes),
    receives,
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    close: () => webSocket.close(),
    closed: once(webSocket, 'close').then(() => undefined),
  }
}

const V1 = Buffer.from('PROXY TCP4 192.0.2.7 127.0.0.1 4711 1883\r\n')
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc00002077f0000011267075b', 'hex')

const local = { host: '127.0.0.1', port: 0 }
const tcpPeer = (listener: Listener, hello?: Buffer): Promise<Peer> =>
  socketPeer(connectSocket(listener.port, '127.0.0.1'), hello)

const KINDS: readonly Kind[] = [
  { name: 'tcp', listen: (accept) => listenTcp(local, accept), connect: tcpPeer },
  {
    name: 'unix',
    listen: (accept) => listenTcp({ path: join(folder, `${paths++}.sock`) }, accept),
    connect: (listener) => socketPeer(connectSocket(listener.address)),
  },
  {
    name: 'tcp behind PROXY v1',
    listen: (accept) => listenTcp({ ...local, proxyProtocol: 1 }, accept),
    connect: async (listener) => ({ ...(await tcpPeer(listener, V1)), address: '192.0.2.7:4711' }),
  },
  {
    name: 'tcp behind PROXY v2',
    listen: (accept) => listenTcp({ ...local, proxyProtocol: 2 }, accept),
    connect: async (listener) => ({ ...(await tcpPeer(listener, V2)), address: '192.0.2.7:4711' }),
  },
  {
    name: 'websocket',
    listen: (accept) => listenWebSocket(local, 268435460, accept),
    connect: (listener) => webSocketPeer(`ws://127.0.0.1:${listener.port}/whatever`),
  },
  {
    name: 'websocket on an HTTP server',
    listen: async (accept) => {
      const server = createHttpServer().listen(0, '127.0.0.1')
      cleanUp.push(() => server.close())
      await once(server, 'listening')
      return listenWebSocket({ server }, 268435460, accept)
    },
    connect: (listener) => webSocketPeer(`ws://127.0.0.1:${listener.port}/mqtt`),
  },
]

/** What a stream told its owner. */
class Owner {
  readonly stream: ByteStream
  readonly chunks: Buffer[] = []
  closes = 0
  drains = 0
  private readonly looks = new Set<() => void>()

  constructor(stream: ByteStream) {
    this.stream = stream
  }

  onChunk(chunk: Uint8Array, length = chunk.length): void {
    this.chunks.push(Buffer.from(chunk.subarray(0, length)))
    this.changed()
  }
  onDrain(): void {
    this.drains++
    this.changed()
  }
  onClose(): void {
    this.closes++
    this.changed()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return
        this.looks.delete(look)
        resolve()
      }
      this.looks.add(look)
      look()
    })
  }

  private changed(): void {
    for (const look of this.looks) look()
  }
}

async function open(kind: Kind): Promise<{ listener: Listener; peer: Peer; owner: Owner }> {
  let arrived: (owner: Owner) => void
  const arrival = new Promise<Owner>((resolve) => {
    arrived = resolve
  })
  const listener = await kind.listen((stream) => {
    const owner = new Owner(stream)
    arrived(owner)
    return owner
  })
  cleanUp.push(() => listener.close())
  const peer = await kind.connect(listener)
  const owner = await arrival
  cleanUp.push(() => owner.stream.destroy())
  return { listener, peer, owner }
}

/** Writes until the kernel takes no more. */
function fill(stream: ByteStream, size = 65536): number {
  const block = Buffer.alloc(size, 7)
  for (let written = block.length; ; written += block.length) if (!stream.write(block)) return written
}

describe.each(KINDS)('listener: $name', (kind) => {
  test('carries bytes both ways in their order and knows who sends them', async () => {
    const { peer, owner } = await open(kind)
    expect(owner.stream.remoteAddress).toBe(peer.address)
    peer.send(Buffer.from('one '))
    peer.send(Buffer.from('two'))
    await owner.until(() => owner.bytes.length === 7)
    expect(owner.bytes.toString()).toBe('one two')
    expect(owner.stream.write(Buffer.from('three '))).toBe(true)
    owner.stream.write(Buffer.from('four'))
    expect((await peer.receives(10)).toString()).toBe('three four')
  })

  test.each([
    65536, // beyond the high-water mark of a socket
    1000, // below: Node itself does not say when these are taken
  ])(
    'write() of %i bytes is false while the peer takes nothing; onDrain follows, and nothing is lost',
    async (size) => {
      const { peer, owner } = await open(kind)
      peer.pause()
      const written = fill(owner.stream, size)
      expect(owner.stream.pendingBytes).toBeGreaterThan(0)
      expect(owner.drains).toBe(0)
      peer.resume()
      await owner.until(() => owner.drains > 0)
      expect(owner.stream.pendingBytes).toBe(0)
      const got = await peer.receives(written)
      expect(got.length).toBe(written)
      expect(got.every((byte) => byte === 7)).toBe(true)
    },
  )

  test('pause() keeps chunks away until resume()', async () => {
    const { peer, owner } = await open(kind)
    owner.stream.pause()
    peer.send(Buffer.from('later'))
    // The answer shows that the loop went round with the bytes there to be read.
    owner.stream.write(Buffer.from('x'))
    await peer.receives(1)
    expect(owner.chunks).toEqual([])
    owner.stream.resume()
    await owner.until(() => owner.bytes.length === 5)
  })

  test('end() sends what is pending, closes, and tells the owner once', async () => {
    const { peer, owner } = await open(kind)
    owner.stream.write(Buffer.alloc(100_000, 1))
    owner.stream.end()
    expect((await peer.receives(100_000)).length).toBe(100_000)
    await peer.closed
    await owner.until(() => owner.closes > 0)
    expect(owner.stream.write(Buffer.from('x'))).toBe(true)
    expect(owner.closes).toBe(1)
  })

  test('destroy() closes at once, pending bytes or not', async () => {
    const { peer, owner } = await open(kind)
    peer.pause()
    fill(owner.stream)
    owner.stream.destroy()
    await owner.until(() => owner.closes > 0)
    peer.resume()
    await peer.closed
    expect(owner.closes).toBe(1)
  })

  test('a peer that closes is told to the owner once', async () => {
    const { peer, owner } = await open(kind)
    peer.close()
    await owner.until(() => owner.closes > 0)
    await peer.closed
    expect(owner.closes).toBe(1)
  })

  test('close() takes no more connections and leaves those that exist alone', async () => {
    const { listener, peer, owner } = await open(kind)
    await listener.close()
    peer.send(Buffer.from('still here'))
    await owner.until(() => owner.bytes.length === 10)
  })
})

describe('Broker on every listener', () => {
  const CONNECT = encode(
    { type: 'CONNECT', protocolVersion: 4, clientId: 'c', cleanStart: true, keepAlive: 0 },
    4,
  )

  test.each([
    ['listen', (broker: Broker) => broker.listen(local), tcpPeer],
    [
      'listenWebSocket',
      (broker: Broker) => broker.listenWebSocket(local),
      (listener: Listener) => webSocketPeer(`ws://127.0.0.1:${listener.port}/`),
    ],
  ] as const)('%s: CONNECT is answered, and close() ends the connection', async (_name, listen, connect) => {
    const broker = new Broker()
    const peer = await connect(await listen(broker))
    peer.send(CONNECT)
    expect([...(await peer.receives(4))]).toEqual([0x20, 2, 0, 0])
    await broker.close()
    await peer.closed
  })

  test('WebSocket: a packet over many frames, and many packets in one frame', async () => {
    const broker = new Broker()
    cleanUp.push(() => broker.close())
    const peer = await webSocketPeer(`ws://127.0.0.1:${(await broker.listenWebSocket(local)).port}/mqtt`)
    for (const byte of CONNECT) peer.send(Buffer.from([byte]))
    await peer.receives(4)
    peer.send(Buffer.from('c000c000c000', 'hex'))
    expect((await peer.receives(10)).toString('hex')).toBe('20020000d000d000d000')
  })
})

describe('WebSocket listener', () => {
  async function listen(options = {}): Promise<{ listener: Listener; owners: Owner[] }> {
    const owners: Owner[] = []
    const accept: Accept = (stream) => {
      const owner = new Owner(stream)
      owners.push(owner)
      return owner
    }
    const listener = await listenWebSocket({ ...local, ...options }, 1000, accept)
    cleanUp.push(() => {
      for (const owner of owners) owner.stream.destroy()
      return listener.close()
    })
    return { listener, owners }
  }

  /** Settles when the connections that were made before have been accepted. */
  async function accepted(listener: Listener): Promise<void> {
    await once(get(`http://127.0.0.1:${listener.port}/`), 'response')
  }

  function client(listener: Listener, path: string, protocols: string[]): WebSocket {
    const webSocket = new WebSocket(`ws://127.0.0.1:${listener.port}${path}`, protocols)
    webSocket.on('error', () => undefined)
    cleanUp.push(() => webSocket.terminate())
    return webSocket
  }

  test.each([
    [['mqtt'], 'mqtt'],
    [['mqttv3.1'], 'mqttv3.1'],
    [['other', 'mqtt'], 'mqtt'],
    [['mqttv3.1', 'mqtt'], 'mqtt'],
  ])('of the subprotocols %j it chooses %s [MQTT-6.0.0-4]', async (offered, chosen) => {
    const { listener } = await listen()
    const webSocket = client(listener, '/', offered)
    await once(webSocket, 'open')
    expect(webSocket.protocol).toBe(chosen)
  })

  test.each([[[]], [['other']]])('subprotocols %j: 400, with the reason [MQTT-6.0.0-3]', async (offered) => {
    const { listener } = await listen()
    const webSocket = client(listener, '/', offered)
    const [, response] = await once(webSocket, 'unexpected-response')
    expect(response.statusCode).toBe(400)
    const [body] = await once(response, 'data')
    expect(String(body)).toContain('"mqtt"')
  })

  test('never agrees to permessage-deflate', async () => {
    const { listener } = await listen()
    const webSocket = client(listener, '/', ['mqtt'])
    await once(webSocket, 'open')
    expect(webSocket.extensions).toBe('')
  })

  test('a text frame closes with 1003 [MQTT-6.0.0-1]', async () => {
    const { listener, owners } = await listen()
    const webSocket = client(listener, '/', ['mqtt'])
    await once(webSocket, 'open')
    webSocket.send('text')
    const [code] = await once(webSocket, 'close')
    expect(code).toBe(1003)
    expect(owners[0]?.chunks).toEqual([])
  })

  test('a fragmented frame arrives whole; pings are answered', async () => {
    const { listener, owners } = await listen()
    const webSocket = client(listener, '/', ['mqtt'])
    await once(webSocket, 'open')
    webSocket.send(Buffer.from('a'), { fin: false })
    webSocket.ping('between')
    const [pong] = await once(webSocket, 'pong')
    expect(String(pong)).toBe('between')
    webSocket.send(Buffer.from('b'), { fin: false })
    webSocket.send(Buffer.from('c'), { fin: true })
    await owners[0]!.until(() => owners[0]!.bytes.length === 3)
    expect(owners[0]!.bytes.toString()).toBe('abc')
  })

  test('a frame longer than packets may be closes with 1009, whole or in fragments', async () => {
    for (const parts of [1, 4]) {
      const { listener, owners } = await listen()
      const webSocket = client(listener, '/', ['mqtt'])
      webSocket.on('error', () => undefined)
      await once(webSocket, 'open')
      // The limit is 1 MiB here: a frame may hold several packets of 1000 bytes.
      const part = Buffer.alloc(1048577 / parts + 1)
      for (let i = 1; i <= parts; i++) webSocket.send(part, { fin: i === parts })
      const [code] = await once(webSocket, 'close')
      expect(code).toBe(1009)
      expect(owners[0]?.chunks).toEqual([])
    }
  })

  test('with a path, others get 404; a plain request is told what this port is', async () => {
    const { listener } = await listen({ path: '/mqtt' })
    const webSocket = client(listener, '/other', ['mqtt'])
    const [, response] = await once(webSocket, 'unexpected-response')
    expect(response.statusCode).toBe(404)
    const query = client(listener, '/mqtt?token=1', ['mqtt'])
    await once(query, 'open')
    const [plain] = await once(get(`http://127.0.0.1:${listener.port}/mqtt`), 'response')
    expect(plain.statusCode).toBe(426)
  })

  test('who sends half a request is closed in time', async () => {
    const { listener } = await listen({ handshakeTimeoutMs: 20 })
    const socket = connectSocket(listener.port, '127.0.0.1')
    socket.write('GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgr')
    await once(socket, 'close')
  })

  test('close() ends what is no WebSocket yet', async () => {
    const { listener } = await listen()
    const socket = connectSocket(listener.port, '127.0.0.1')
    await once(socket, 'connect')
    const [ended] = await Promise.all([
      once(socket, 'close'),
      accepted(listener).then(() => listener.close()),
    ])
    expect(ended).toBeDefined()
  })

  test('the time for the handshake does not end a connection that made it', async () => {
    const { listener } = await listen({ handshakeTimeoutMs: 100 })
    const webSocket = client(listener, '/', ['mqtt'])
    await once(webSocket, 'open')
    const slow = connectSocket(listener.port, '127.0.0.1')
    await once(slow, 'close') // began later, so the other one's time is over too
    webSocket.ping()
    await once(webSocket, 'pong')
  })

  test('reads a PROXY header in front of the request', async () => {
    const { listener, owners } = await listen({ proxyProtocol: true })
    const http = request({
      port: listener.port,
      host: '127.0.0.1',
      path: '/mqtt',
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol': 'mqtt',
      },
      createConnection: (options) => {
        const socket = connectSocket(Number(options.port), '127.0.0.1')
        socket.cork() // the header and the request come as one
        socket.write(V2)
        process.nextTick(() => socket.uncork())
        return socket
      },
    })
    http.end()
    const [, socket] = (await once(http, 'upgrade')) as [unknown, Socket]
    cleanUp.push(() => socket.destroy())
    expect(owners[0]?.stream.remoteAddress).toBe('192.0.2.7:4711')
    // Two masked bytes, with a mask of zeros.
    socket.write(Buffer.from('8282000000006869', 'hex'))
    await owners[0]!.until(() => owners[0]!.bytes.length === 2)
    expect(owners[0]!.bytes.toString()).toBe('hi')
  })

  test('on a server with other upgrades, it leaves them alone; closed, it answers no more', async () => {
    const server: Server = createHttpServer((_request, response) => response.end('page')).listen(
      0,
      '127.0.0.1',
    )
    cleanUp.push(() => server.close())
    await once(server, 'listening')
    const listener = await listenWebSocket({ server }, 1000, (stream) => new Owner(stream))
    expect(listener.address).toMatch(/^127\.0\.0\.1:\d+\/mqtt$/)
    const [page] = await once(get(`http://127.0.0.1:${listener.port}/`), 'response')
    expect(page.statusCode).toBe(200)
    const [, refused] = await once(client(listener, '/other', ['mqtt']), 'unexpected-response')
    expect(refused.statusCode).toBe(404)
    server.on('upgrade', (request, socket: Socket) => {
      if (request.url === '/other') socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n')
    })
    const [, theirs] = await once(client(listener, '/other', ['mqtt']), 'unexpected-response')
    expect(theirs.statusCode).toBe(418)
    await listener.close()
    expect(server.listenerCount('upgrade')).toBe(1)
  })
})

describe('unix socket', () => {
  const noStream: Accept = (stream) => new Owner(stream)

  test('takes the place of a socket that nobody serves, not of one that answers', async () => {
    const path = join(folder, 'stale.sock')
    // A process that is killed leaves its socket's file behind.
    const { spawnSync } = await import('node:child_process')
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', script])
    expect(statSync(path).isSocket()).toBe(true)
    const listener = await listenTcp({ path, mode: 0o660 }, noStream)
    expect(statSync(path).mode & 0o777).toBe(0o660)
    await expect(listenTcp({ path }, noStream)).rejects.toThrow(`cannot listen on ${path}: it is in use`)
    await listener.close()
    expect(() => statSync(path)).toThrow('ENOENT')
  })

  test('never removes another file', async () => {
    const path = join(folder, 'precious')
    writeFileSync(path, 'data')
    chmodSync(path, 0o600)
    await expect(listenTcp({ path }, noStream)).rejects.toThrow('it is no socket')
    expect(statSync(path).size).toBe(4)
    await expect(listenTcp({ path: join(folder, 'no', 'folder') }, noStream)).rejects.toThrow(
      'its folder is not there, or not for this user',
    )
  })
})

describe('PROXY listener', () => {
  async function closedBy(bytes: string, options = {}): Promise<void> {
    let streams = 0
    const listener = await listenTcp({ ...local, proxyProtocol: true, ...options }, (stream) => {
      streams++
      return new Owner(stream)
    })
    cleanUp.push(() => listener.close())
    const socket = connectSocket(listener.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(bytes)
    await once(socket, 'close')
    expect(streams).toBe(0)
  }

  test('closes a connection without header, and one whose header does not come in time', async () => {
    await closedBy('\x10\x0c\0\x04MQTT\x04')
    await closedBy('PROXY TCP4 1.2.3', { proxyTimeoutMs: 20 })
  })

  test('a header in single bytes, then the client at once behind it', async () => {
    const owners: Owner[] = []
    const listener = await listenTcp({ ...local, proxyProtocol: true }, (stream) => {
      const owner = new Owner(stream)
      owners.push(owner)
      return owner
    })
    cleanUp.push(() => listener.close())
    const socket = connectSocket({ port: listener.port, host: '127.0.0.1', noDelay: true })
    cleanUp.push(() => socket.destroy())
    await once(socket, 'connect')
    for (const byte of V1.subarray(0, -1)) {
      socket.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.write(Buffer.concat([V1.subarray(-1), Buffer.from('hello')]))
    while (owners.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await owners[0]!.until(() => owners[0]!.bytes.length === 5)
    expect(owners[0]!.bytes.toString()).toBe('hello')
  })

  test('a taken port says so', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    cleanUp.push(() => other.close())
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const listening = listenWebSocket({ ...local, port }, 1000, (stream) => new Owner(stream))
    await expect(listening).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: it is in use`)
  })
})
