import type { Duplex } from 'node:stream'
import { opened } from './node-stream.ts'
import { type Dial, dialTcp, hostOf } from './tcp.ts'
import { type TlsOptions, tlsSocket } from './tls.ts'
import { readHead } from './websocket-node.ts'

/** The proxy did not make the connection. */
export class ProxyError extends Error {
  readonly code = 'PROXY_REFUSED'
  override name = 'ProxyError'
}

/** Dials through an HTTP proxy with CONNECT.
 *  @param proxy http://user:password@host:3128, or https:// for one behind TLS
 *  @throws (when dialling) ProxyError when it answers with anything but 2xx */
export function httpConnect(proxy: string | URL, tls: TlsOptions = {}): Dial {
  const url = new URL(proxy)
  return async (host, port, signal) => {
    const socket =
      url.protocol === 'https:'
        ? await tlsSocket(url, 443, tls, undefined, signal)
        : await dialTcp(hostOf(url), Number(url.port || 80), signal)
    const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    const login = url.username === '' ? '' : `Proxy-Authorization: Basic ${basic(url)}\r\n`
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`)
    const { head, rest } = await readHead(socket, signal)
    const status = head.split('\r\n', 1)[0]!
    if (!/^HTTP\/1\.[01] 2\d\d\b/.test(status)) {
      socket.destroy()
      throw new ProxyError(`the proxy ${url.host} answered ${status.slice(0, 80)}`)
    }
    if (rest.length > 0) socket.unshift(rest)
    return socket
  }
}

const SOCKS_REPLIES = [
  'succeeded',
  'general failure',
  'connection not allowed',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'TTL expired',
  'command not supported',
  'address type not supported',
]

/** Dials through a SOCKS5 proxy (RFC 1928, 1929); the proxy resolves the name.
 *  @param proxy socks5://user:password@host:1080
 *  @throws (when dialling) ProxyError when it refuses */
export function socks5(proxy: string | URL): Dial {
  const url = new URL(proxy)
  const username = decodeURIComponent(url.username)
  const password = decodeURIComponent(url.password)
  return async (host, port, signal) => {
    const socket = await dialTcp(hostOf(url), Number(url.port || 1080), signal)
    try {
      socket.write(Uint8Array.of(5, 1, username === '' ? 0 : 2))
      const [version, method] = await readBytes(socket, 2, signal)
      if (version !== 5) throw new ProxyError(`${url.host} does not speak SOCKS5`)
      if (method === 2 && username !== '') await logIn(socket, username, password, signal)
      else if (method !== 0) throw new ProxyError(`the proxy ${url.host} wants another way to log in`)
      socket.write(connectRequest(host, port))
      await readReply(socket, url, signal)
      return socket
    } catch (error) {
      socket.destroy()
      throw error
    }
  }
}

async function logIn(socket: Duplex, username: string, password: string, signal: AbortSignal): Promise<void> {
  const name = Buffer.from(username)
  const secret = Buffer.from(password)
  if (name.length > 255 || secret.length > 255)
    throw new RangeError('SOCKS5 takes 255 bytes of name and password')
  socket.write(Buffer.concat([Buffer.of(1, name.length), name, Buffer.of(secret.length), secret]))
  const [, status] = await readBytes(socket, 2, signal)
  if (status !== 0) throw new ProxyError('the proxy refused username and password')
}

function connectRequest(host: string, port: number): Buffer {
  const name = Buffer.from(host)
  if (name.length > 255) throw new RangeError(`the host name has ${name.length} bytes; SOCKS5 takes 255`)
  return Buffer.concat([Buffer.of(5, 1, 0, 3, name.length), name, Buffer.of(port >> 8, port & 255)])
}

async function readReply(socket: Duplex, url: URL, signal: AbortSignal): Promise<void> {
  const head = await readBytes(socket, 5, signal)
  const reply = head[1]!
  if (reply !== 0) throw new ProxyError(`the proxy ${url.host}: ${SOCKS_REPLIES[reply] ?? `reply ${reply}`}`)
  const kind = head[3]!
  const length = kind === 1 ? 4 : kind === 4 ? 16 : 1 + head[4]!
  // One byte of the address has been read with the head; two of the port follow it.
  await readBytes(socket, length - 1 + 2, signal)
}

/** Reads exactly so many bytes; the rest stays in the stream. */
async function readBytes(socket: Duplex, count: number, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(count) as Buffer | null
    if (bytes !== null && bytes.length === count) return bytes
    if (bytes !== null || socket.readableEnded) throw new ProxyError('the proxy closed the connection')
    await opened(socket, 'readable', signal)
  }
}

function basic(url: URL): string {
  return Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString(
    'base64',
  )
}
