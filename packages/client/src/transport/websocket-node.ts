import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { opened } from './node-stream.ts'
import type { ByteStream, StreamReceiver } from './stream.ts'
import { type Dial, dialTcp, hostOf } from './tcp.ts'
import { type TlsOptions, tlsSocket } from './tls.ts'
import { WebSocketClosedError } from './websocket-closed.ts'
import { BINARY, CLOSE, FrameReader, frameOf, PONG, WebSocketError } from './websocket-frames.ts'

export interface WebSocketOptions {
  /** Headers of the opening request: Authorization, Cookie… */
  readonly headers?: Readonly<Record<string, string>>
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const LARGEST_HEAD = 65_536

/** Opens a WebSocket (RFC 6455) that carries MQTT: `ws://host/mqtt`, `wss://…`; port 80 or 443 unless the URL has another.
 *  @throws WebSocketError for an answer that agrees to no WebSocket; the system's error; `signal.reason`
 *  @see MQTT 5.0, 6 */
export async function webSocket(
  url: URL,
  options: WebSocketOptions,
  tls: TlsOptions,
  dial: Dial | undefined,
  signal: AbortSignal,
): Promise<ByteStream> {
  const socket =
    url.protocol === 'wss:'
      ? await tlsSocket(url, 443, { ALPNProtocols: ['http/1.1'], ...tls }, dial, signal)
      : await (dial ?? dialTcp)(hostOf(url), Number(url.port || 80), signal)
  const key = randomBytes(16).toString('base64')
  socket.write(requestOf(url, key, options))
  const { head, rest } = await readHead(socket, signal)
  try {
    checkAnswer(head, key)
  } catch (error) {
    socket.destroy()
    throw error
  }
  return new WebSocketStream(socket, rest)
}

function requestOf(url: URL, key: string, options: WebSocketOptions): string {
  const headers = {
    Host: url.host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Version': '13',
    // The subprotocol's name is mqtt for every version of MQTT [MQTT-6.0.0-3].
    'Sec-WebSocket-Protocol': 'mqtt',
    ...options.headers,
  }
  const lines = Object.entries(headers).map(([name, value]) => {
    if (/[\r\n]/.test(name + value)) throw new TypeError(`header ${JSON.stringify(name)} holds a line break`)
    return `${name}: ${value}`
  })
  return `GET ${url.pathname || '/'}${url.search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** Reads an HTTP head, up to its empty line. */
export function readHead(socket: Duplex, signal: AbortSignal): Promise<{ head: string; rest: Buffer }> {
  let bytes = Buffer.alloc(0)
  let done = { head: '', rest: bytes }
  const taken = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0 && bytes.length < LARGEST_HEAD) return
    socket.off('data', taken)
    socket.pause()
    if (end < 0)
      socket.emit('error', new WebSocketError('the answer to the opening request does not end', 1002))
    else {
      done = { head: bytes.toString('latin1', 0, end), rest: bytes.subarray(end + 4) }
      socket.emit('pipit:head')
    }
  }
  socket.on('data', taken)
  return opened(socket, 'pipit:head', signal).then(() => done)
}

function checkAnswer(head: string, key: string): void {
  const [status = '', ...lines] = head.split('\r\n')
  if (!/^HTTP\/1\.1 101\b/.test(status))
    throw new WebSocketError(`the server answered ${status.slice(0, 80)}`, 1002)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim())
  }
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  if (
    headers.get('upgrade')?.toLowerCase() !== 'websocket' ||
    headers.get('sec-websocket-accept') !== accept
  ) {
    throw new WebSocketError('the server did not agree to a WebSocket', 1002)
  }
  const protocol = headers.get('sec-websocket-protocol')
  if (protocol !== 'mqtt') {
    throw new WebSocketError(
      `the server speaks ${protocol ?? 'no subprotocol'} over WebSocket, not mqtt`,
      1002,
    )
  }
  if (headers.has('sec-websocket-extensions')) throw new WebSocketError('an extension nobody asked for', 1010)
}

/** MQTT's bytes in binary frames. */
class WebSocketStream implements ByteStream {
  private readonly socket: Duplex
  private readonly early: Buffer
  private readonly masks = new Masks()
  private failure: unknown = undefined
  private closing = false

  constructor(socket: Duplex, early: Buffer) {
    this.socket = socket
    this.early = early
  }

  start(receiver: StreamReceiver): void {
    const { socket } = this
    const reader = new FrameReader({
      binary: (bytes) => receiver.data(bytes),
      ping: (payload) => this.frame(PONG, payload),
      close: (status, payload) => this.answerClose(status, payload),
    })
    const take = (chunk: Buffer): void => {
      try {
        if (!this.closing) reader.push(chunk)
      } catch (error) {
        this.fail(error)
      }
    }
    socket.on('error', (error) => {
      this.failure ??= error
    })
    socket.on('end', () => socket.end())
    if (socket.destroyed) queueMicrotask(() => receiver.closed(socket.errored))
    else socket.on('close', () => receiver.closed(this.failure))
    if (this.early.length > 0) socket.unshift(this.early)
    socket.on('data', take)
    socket.resume()
  }

  write(bytes: Uint8Array, written: () => void): void {
    this.frame(BINARY, bytes, (error) => {
      if (error === undefined || error === null) written()
    })
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  end(): void {
    if (this.closing) return
    this.frame(CLOSE, Uint8Array.of(3, 232))
    this.closing = true
    this.socket.end()
    // What still comes is not read any more, but has to be taken for the end to be seen.
    this.socket.resume()
  }

  destroy(): void {
    this.socket.destroy()
  }

  private answerClose(status: number | undefined, payload: Uint8Array): void {
    if (status !== undefined && status !== 1000)
      this.failure ??= new WebSocketClosedError(status, Buffer.from(payload.subarray(2)).toString())
    this.frame(CLOSE, payload.subarray(0, 2))
    this.closing = true
    this.socket.end()
  }

  private fail(error: unknown): void {
    this.failure ??= error
    const status = error instanceof WebSocketError ? error.status : 1011
    this.frame(CLOSE, Uint8Array.of(status >> 8, status & 255))
    this.closing = true
    this.socket.end(() => this.socket.destroy())
  }

  private frame(opcode: number, payload: Uint8Array, written?: (error?: Error | null) => void): void {
    if (!this.closing) this.socket.write(frameOf(opcode, payload, this.masks.next()), written)
  }
}

/** Four unpredictable bytes at a time, drawn many at once, since each draw is a call into the kernel. */
class Masks {
  private readonly random = Buffer.alloc(1024)
  private used = this.random.length

  next(): Uint8Array {
    if (this.used === this.random.length) {
      randomFillSync(this.random)
      this.used = 0
    }
    this.used += 4
    return this.random.subarray(this.used - 4, this.used)
  }
}
