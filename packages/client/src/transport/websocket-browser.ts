import type { ByteStream, StreamReceiver } from './stream.ts'
import { WebSocketClosedError } from './websocket-closed.ts'

/** What is used of the page's WebSocket. */
interface PageSocket {
  binaryType: string
  readonly bufferedAmount: number
  readonly protocol: string
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onerror: (() => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  send(bytes: Uint8Array): void
  close(code?: number): void
}

type PageSocketClass = new (url: string, protocols: string[]) => PageSocket

/** Bytes that may wait inside the browser before a write counts as waiting. */
const BUFFERED_BYTES = 65_536
const POLL_MS = 20

/** Opens a WebSocket of the page that carries MQTT.
 *  @throws Error when it cannot be opened (the browser tells nobody why), or `signal.reason` */
export function pageWebSocket(url: URL, signal: AbortSignal): Promise<ByteStream> {
  const WebSocketClass = (globalThis as unknown as { WebSocket: PageSocketClass }).WebSocket
  const plain = new URL(url)
  // A browser refuses credentials in a WebSocket's address; they are CONNECT's.
  plain.username = ''
  plain.password = ''
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = new WebSocketClass(plain.href, ['mqtt'])
    socket.binaryType = 'arraybuffer'
    const stream = new PageStream(socket)
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', aborted)
      socket.onopen = socket.onclose = null
      socket.close()
      reject(error)
    }
    const aborted = (): void => fail(signal.reason)
    signal.addEventListener('abort', aborted)
    socket.onclose = ({ code }) => fail(new Error(`the WebSocket closed with ${code}`))
    socket.onopen = () => {
      signal.removeEventListener('abort', aborted)
      resolve(stream)
    }
  })
}

class PageStream implements ByteStream {
  private readonly socket: PageSocket
  private receiver: StreamReceiver | undefined = undefined
  private early: Uint8Array[] = []
  private paused = false
  private open = true
  private failure: unknown = undefined

  constructor(socket: PageSocket) {
    this.socket = socket
    socket.onmessage = ({ data }) => this.take(data)
  }

  start(receiver: StreamReceiver): void {
    this.receiver = receiver
    this.socket.onclose = ({ code, reason }) => {
      if (code !== 1000 && code !== 1005) this.failure ??= new WebSocketClosedError(code, reason)
      this.close()
    }
    this.resume()
  }

  write(bytes: Uint8Array, written: () => void): void {
    if (!this.open) return
    this.socket.send(bytes)
    const wait = (): void => {
      if (!this.open) return
      // The browser has no event for this.
      if (this.socket.bufferedAmount > BUFFERED_BYTES) setTimeout(wait, POLL_MS)
      else written()
    }
    queueMicrotask(wait)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    while (this.early.length > 0 && !this.paused) this.receiver?.data(this.early.shift()!)
  }

  end(): void {
    this.socket.close(1000)
  }

  destroy(): void {
    this.socket.close()
    // The closing handshake may take the browser a minute; nobody waits for it.
    this.close()
  }

  private take(data: unknown): void {
    if (!this.open) return
    if (!(data instanceof ArrayBuffer)) {
      this.failure = new Error('a text frame; MQTT is binary [MQTT-6.0.0-1]')
      this.socket.close()
      return
    }
    const bytes = new Uint8Array(data)
    if (this.receiver === undefined || this.paused) this.early.push(bytes)
    else this.receiver.data(bytes)
  }

  private close(): void {
    if (!this.open) return
    this.open = false
    queueMicrotask(() => this.receiver?.closed(this.failure))
  }
}
