import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect } from 'node:tls'
import { NodeStream, opened } from './node-stream.ts'
import type { ByteStream } from './stream.ts'
import { type Dial, dialTcp, hostOf } from './tcp.ts'

/** What Node's `tls.connect` takes: `ca`, `cert`, `key`, `passphrase`, `servername` (SNI), `ALPNProtocols`,
 *  `minVersion`… The server's certificate is verified unless `rejectUnauthorized` is false. */
export type TlsOptions = Omit<ConnectionOptions, 'host' | 'port' | 'path' | 'socket'>

/** Opens TLS over TCP, or over what `dial` gives; port 8883 unless the URL has another.
 *  @throws the system's or OpenSSL's error (DEPTH_ZERO_SELF_SIGNED_CERT…), or `signal.reason` */
export async function tls(
  url: URL,
  options: TlsOptions,
  dial: Dial | undefined,
  signal: AbortSignal,
): Promise<ByteStream> {
  return new NodeStream(await tlsSocket(url, 8883, options, dial, signal))
}

export async function tlsSocket(
  url: URL,
  defaultPort: number,
  options: TlsOptions,
  dial: Dial | undefined,
  signal: AbortSignal,
): Promise<Duplex> {
  const host = hostOf(url)
  const socket = await (dial ?? dialTcp)(host, Number(url.port || defaultPort), signal)
  // SNI names hosts, never addresses (RFC 6066, 3).
  const servername = /^[\d.]+$|:/.test(host) ? undefined : host
  const secured = connect({ minVersion: 'TLSv1.2', servername, host, ...options, socket })
  try {
    return await opened(secured, 'secureConnect', signal)
  } catch (error) {
    socket.destroy()
    throw error
  }
}
