import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { NodeStream, opened } from './node-stream.ts'
import type { ByteStream } from './stream.ts'

/** Opens a connection to a host and port, directly or through a proxy (`socks5`, `httpConnect`).
 *  @throws the system's error, or `signal.reason` */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>

/** A TCP connection of this machine's own. */
export const dialTcp: Dial = (host, port, signal) =>
  opened(connect({ host, port, noDelay: true }), 'connect', signal)

/** Opens TCP, or what `dial` gives; port 1883 unless the URL has another.
 *  @throws the system's error (ECONNREFUSED, ENOTFOUND…), or `signal.reason` */
export async function tcp(url: URL, dial: Dial | undefined, signal: AbortSignal): Promise<ByteStream> {
  return new NodeStream(await (dial ?? dialTcp)(hostOf(url), Number(url.port || 1883), signal))
}

/** Opens a Unix socket: `unix:/run/mosquitto.sock`. */
export async function unix(url: URL, signal: AbortSignal): Promise<ByteStream> {
  const path = decodeURIComponent(url.pathname)
  return new NodeStream(await opened(connect({ path }), 'connect', signal))
}

/** The URL's host as the system wants it: an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost'
}
