import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Arrival, openServer, type SocketListenOptions } from './server.ts'
import { addressOf, bracket, destroyLater, whenTaken } from './sockets.ts'
import { StaticFiles } from './static-files.ts'
import type { Accept, ByteStream, Gate, Listener, Report, StreamOwner, TlsPeer } from './stream.ts'

export interface WebSocketListenOptions extends SocketListenOptions {
  /** Default 8080; 0 takes a free one. */
  readonly port?: number
  /** The path of the URL; anything else is answered with 404. Default: any on a port of its own,
   *  `/mqtt` on a server that serves other things too. */
  readonly path?: string
  /** An HTTP server to share instead of listening on a port: what asks for `path` is ours, the rest its owner's. */
  readonly server?: HttpServer | HttpsServer
  /** How long a connection on a port of its own may take to become a WebSocket, milliseconds; default 10000. */
  readonly handshakeTimeoutMs?: number
  /** A folder whose files browsers may GET on a port of its own: a page that speaks MQTT, say. Default: none. */
  readonly httpFolder?: string
  /** Bytes that the headers of a request may have; default 8192. */
  readonly headerBytes?: number
}

/** What clients ask for; the second is what MQTT 3.1 used. Mosquitto knows both. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1']

/** What a WebSocket may bring before its client has logged in: CONNECT, and what is sent in advance. */
const STRANGER_BYTES = 262_144

/** How long an answer in plain HTTP may take, milliseconds. */
const ANSWER_MS = 300_000

/** A frame may hold several packets, so that one is not refused for being longer than one packet may be. */
const SMALLEST_MAXIMUM_PAYLOAD = 1048576

/** Listens for MQTT over WebSocket, on a port or on an HTTP server that exists.
 *  @param maximumPacketSize bytes of one packet: no frame is longer, or than 1 MiB
 *  @throws Error naming the address and what to do, when it cannot listen
 *  @see MQTT 5.0, 6 */
export async function listenWebSocket(
  options: WebSocketListenOptions,
  maximumPacketSize: number,
  accept: Accept,
  report: Report = () => undefined,
  gate: Gate = () => ADMITTED,
): Promise<Listener> {
  const door = new Door(Math.max(maximumPacketSize, SMALLEST_MAXIMUM_PAYLOAD), accept)
  if (options.server !== undefined) return attach(options.server, options.path ?? '/mqtt', door, report, gate)
  const { handshakeTimeoutMs = 10_000, path, httpFolder, headerBytes = 8192 } = options
  const files = httpFolder === undefined ? undefined : await StaticFiles.open(httpFolder)
  const known = new WeakMap<Duplex, Caller>()
  const http = createServer({ maxHeaderSize: headerBytes }, (request, response) => {
    const { remoteAddress, tls } = known.get(request.socket) ?? UNKNOWN
    // As CONNECT is: the handshake alone has let it in.
    if (tls?.refusal !== undefined) return forbid(response, remoteAddress, tls.refusal, report)
    if (files === undefined) return sayWhatIsHere(response)
    door.allowAnswer(request.socket, handshakeTimeoutMs)
    void files.answer(request, response)
  })
  // An answer ends its connection: what is asked behind it opens no file.
  http.maxRequestsPerSocket = 1
  http.on('upgrade', (request, socket, head) => {
    if (path !== undefined && pathOf(request) !== path) return refuse(socket, 404, 'nothing here')
    door.open(request, socket as Socket, head, known.get(socket) ?? UNKNOWN)
  })
  const listener = await openServer(
    { kind: 'ws', protocol: 'http/1.1' },
    { ...options, port: options.port ?? 8080 },
    (arrival) => {
      const { socket } = arrival
      known.set(socket, arrival)
      door.limitHandshake(socket, handshakeTimeoutMs)
      http.emit('connection', socket)
    },
    report,
    gate,
  )
  return {
    ...listener,
    close: () => {
      door.closePending()
      return listener.close()
    },
  }
}

function forbid(response: ServerResponse, remoteAddress: string, why: string, report: Report): void {
  report(remoteAddress, `its request is refused (403): ${why}`)
  response.writeHead(403, { Connection: 'close', 'Content-Type': 'text/plain' })
  response.end('This port wants a client certificate.\n')
}

function sayWhatIsHere(response: ServerResponse): void {
  response.writeHead(426, { Connection: 'close', Upgrade: 'websocket', 'Content-Type': 'text/plain' })
  response.end('This port speaks MQTT over WebSocket.\n')
}

/** Takes the upgrades to one path of somebody's server. */
function attach(
  server: HttpServer | HttpsServer,
  path: string,
  door: Door,
  report: Report,
  gate: Gate,
): Listener {
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (pathOf(request) === path) {
      const remoteAddress = addressOf(socket as Socket)
      const admitted = gate(remoteAddress)
      if (typeof admitted !== 'string') {
        socket.once('close', admitted)
        return door.open(request, socket as Socket, head, { remoteAddress, admitted })
      }
      report(remoteAddress, admitted)
      socket.destroy()
    }
    // With others listening it may be theirs; alone, nobody else would ever answer.
    else if (server.listenerCount('upgrade') === 1) refuse(socket, 404, 'nothing here')
  }
  server.on('upgrade', onUpgrade)
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const host = address !== null && typeof address === 'object' ? address.address : 'http'
  return {
    kind: 'ws',
    address: `${bracket(host)}:${port}${path}`,
    port,
    close: async () => void server.off('upgrade', onUpgrade),
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? ''
}

/** Answers an upgrade in plain HTTP and closes. */
function refuse(socket: Duplex, status: number, why: string): void {
  const phrase = status === 404 ? 'Not Found' : 'Bad Request'
  socket.on('error', () => undefined)
  // Who does not close is not waited for.
  socket.once('finish', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${why.length + 1}\r\n\r\n${why}\n`,
  )
}

/** Who opened a socket. */
type Caller = Omit<Arrival, 'socket'>

const ADMITTED = (): void => undefined
const UNKNOWN: Caller = { remoteAddress: 'unknown', admitted: ADMITTED }

/** Makes WebSockets of upgrades and hands them over. */
class Door {
  private readonly accept: Accept
  private readonly server: WebSocketServer
  /** Sockets that are no WebSocket yet. */
  private readonly pending = new Map<Duplex, NodeJS.Timeout>()

  constructor(maxPayload: number, accept: Accept) {
    this.accept = accept
    const options = {
      noServer: true,
      clientTracking: false,
      maxPayload,
      // Compressed MQTT saves little, and a small frame can unpack to a large one.
      perMessageDeflate: false,
      closeTimeout: 2_000,
      handleProtocols: (offered: Set<string>) => SUBPROTOCOLS.find((each) => offered.has(each)) ?? false,
    }
    this.server = new WebSocketServer(options)
  }

  limitHandshake(socket: Socket, timeoutMs: number): void {
    const timer = setTimeout(() => socket.destroy(), timeoutMs).unref()
    this.pending.set(socket, timer)
    socket.once('close', () => this.settled(socket))
  }

  /** It is no WebSocket and gets its answer: that may take longer, as long as it goes on. */
  allowAnswer(socket: Socket, silenceMs: number): void {
    clearTimeout(this.pending.get(socket))
    this.pending.set(socket, setTimeout(() => socket.destroy(), ANSWER_MS).unref())
    socket.setTimeout(silenceMs, () => socket.destroy())
  }

  closePending(): void {
    for (const socket of this.pending.keys()) socket.destroy()
  }

  private settled(socket: Duplex): void {
    clearTimeout(this.pending.get(socket))
    this.pending.delete(socket)
  }

  open(request: IncomingMessage, socket: Socket, head: Buffer, caller: Caller): void {
    this.settled(socket)
    // [MQTT-6.0.0-3]: a client that does not offer it speaks something else.
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
    if (!SUBPROTOCOLS.some((each) => offered.includes(each))) {
      return refuse(socket, 400, 'MQTT over WebSocket needs the subprotocol "mqtt"')
    }
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = new WebSocketStream(webSocket, socket, caller)
      stream.attach(this.accept(stream))
    })
  }
}

const BINARY = { binary: true, compress: false }

/** A WebSocket as a ByteStream: frames have no meaning beyond their bytes [MQTT-6.0.0-2]. */
class WebSocketStream implements ByteStream {
  readonly remoteAddress: string
  readonly tls: TlsPeer | undefined
  readonly reusesChunks = false
  private readonly webSocket: WebSocket
  private readonly socket: Socket
  private readonly settled: () => void
  private error: Error | undefined
  private ended = false
  private strangerBytes = 0
  /** `ws` keeps a message until it is whole: a stranger's must not be what fills the memory. */
  private readonly count = (chunk: Buffer): void => {
    this.strangerBytes += chunk.length
    if (this.strangerBytes <= STRANGER_BYTES || this.ended) return
    this.error = new Error('too many bytes before CONNECT was accepted')
    this.close(1009, 'too many bytes before CONNECT was accepted')
  }
  private owner: StreamOwner | undefined = undefined
  /** As for TLS on TCP. */
  private readonly written = (): void => {
    if (this.socket.writableLength === 0) this.owner?.onDrain()
  }

  constructor(webSocket: WebSocket, socket: Socket, { remoteAddress, tls, admitted }: Caller) {
    this.webSocket = webSocket
    this.socket = socket
    this.settled = admitted
    this.remoteAddress = remoteAddress
    this.tls = tls
  }

  attach(owner: StreamOwner): void {
    const { webSocket, socket } = this
    this.owner = owner
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.ended) return
      if (isBinary) owner.onChunk(data)
      else this.refuseText()
    })
    webSocket.on('error', (error: Error) => {
      this.error ??= error
    })
    webSocket.on('close', () => {
      this.settled()
      owner.onClose(this.error)
    })
    socket.on('drain', () => owner.onDrain())
    socket.prependListener('data', this.count)
  }

  admitted(): void {
    this.settled()
    this.socket.off('data', this.count)
  }

  get pendingBytes(): number {
    return this.socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const { webSocket, socket } = this
    if (webSocket.readyState !== webSocket.OPEN || socket.destroyed) return true
    if (this.tls === undefined) webSocket.send(bytes, BINARY)
    else webSocket.send(bytes, BINARY, this.written)
    if (socket.writableLength === 0) return true
    if (this.tls === undefined) whenTaken(socket, this.written)
    return false
  }

  pause(): void {
    this.webSocket.pause()
  }

  resume(): void {
    this.webSocket.resume()
  }

  end(): void {
    this.close(1000)
  }

  destroy(): void {
    this.ended = true
    this.webSocket.terminate()
  }

  /** A frame that is not binary ends the connection [MQTT-6.0.0-1]. */
  private refuseText(): void {
    this.error = new Error('a text frame; MQTT needs binary ones [MQTT-6.0.0-1]')
    this.close(1003, 'MQTT needs binary frames')
  }

  private close(code: number, why?: string): void {
    if (this.ended) return
    this.ended = true
    this.webSocket.close(code, why)
    // The peer gets what is pending and the Close frame; its own is not waited for.
    this.socket.destroySoon()
    if (this.socket.writableLength > 0) destroyLater(this.socket)
  }
}
