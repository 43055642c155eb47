import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { FileWatch } from '../files.ts'
import type { Arrival, OnSocket } from './server.ts'
import type { Report, TlsPeer } from './stream.ts'
import { commonNameOf, rfc2253 } from './subject.ts'
import { checkTlsOptions, filesOf, readContexts, type TlsContexts } from './tls-context.ts'
import { describeTlsFault, describeVerifyFault } from './tls-faults.ts'
import type { TlsOptions } from './tls-options.ts'

/** Handshakes that may be under way at one listener: each may cost a signature. */
const HANDSHAKES = 2_000

/** Puts TLS on sockets that a listener has accepted. */
export class TlsDoor {
  private readonly options: TlsOptions
  private readonly report: Report
  private readonly onSocket: OnSocket
  private readonly server: Server
  private readonly watch: FileWatch
  private contexts: TlsContexts
  /** Sockets in their handshake, by what the kernel calls them. */
  private readonly begun = new Map<string, Arrival>()
  private readonly identities = new WeakMap<TLSSocket, string>()

  /** @param protocols for ALPN
   *  @throws Error naming the option or file that is wrong */
  static async open(
    options: TlsOptions,
    protocols: readonly string[],
    report: Report,
    onSocket: OnSocket,
  ): Promise<TlsDoor> {
    checkTlsOptions(options)
    return new TlsDoor(options, await readContexts(options), protocols, report, onSocket)
  }

  private constructor(
    options: TlsOptions,
    contexts: TlsContexts,
    protocols: readonly string[],
    report: Report,
    onSocket: OnSocket,
  ) {
    this.options = options
    this.contexts = contexts
    this.report = report
    this.onSocket = onSocket
    // It never listens: sockets come from the listener, which may have read a PROXY header off them.
    this.server = createServer({
      SNICallback: (name, done) => done(null, this.contexts.byName(name)),
      ALPNProtocols: [...protocols],
      requestCert: options.requireCertificate === true,
      // A certificate that will not do is refused with CONNACK, which says more than a reset connection.
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
      ...(contexts.keys !== undefined && {
        pskCallback: (socket: TLSSocket, identity: string) => this.keyOf(socket, identity),
        pskIdentityHint: options.pskHint ?? '',
      }),
    })
    this.server.setSecureContext(this.contexts.standard)
    this.server.on('secureConnection', (socket) => this.secured(socket))
    this.server.on('tlsClientError', (error: Error, socket) => this.failed(error, socket))
    const files = filesOf(options)
    this.watch = new FileWatch(files, () => void this.reload())
  }

  /** Begins the handshake on a socket. */
  wrap(arrival: Arrival): void {
    const { socket, remoteAddress } = arrival
    const key = keyOf(socket)
    if (this.begun.size >= HANDSHAKES) {
      this.report(remoteAddress, 'closed: too many TLS handshakes are under way')
      return void socket.destroy()
    }
    this.begun.set(key, arrival)
    socket.once('close', () => this.begun.delete(key))
    this.server.emit('connection', socket)
  }

  /** Reads the files again; connections that exist go on. What is wrong is said, and the files before stay in force. */
  async reload(): Promise<string[]> {
    try {
      this.contexts = await readContexts(this.options)
      this.server.setSecureContext(this.contexts.standard)
      return []
    } catch (error) {
      const fault = `the certificates are not taken, those before stay: ${(error as Error).message}`
      this.report(undefined, fault)
      return [fault]
    }
  }

  close(): void {
    this.watch.close()
    for (const { socket } of this.begun.values()) socket.destroy()
  }

  private secured(socket: TLSSocket): void {
    const key = keyOf(socket)
    const { remoteAddress = key, admitted = () => undefined } = this.begun.get(key) ?? {}
    this.begun.delete(key)
    this.onSocket({ socket, remoteAddress, admitted, tls: this.peerOf(socket) })
  }

  private peerOf(socket: TLSSocket): TlsPeer {
    const { requireCertificate, identityAsUsername, subjectAsUsername } = this.options
    const identity = this.identities.get(socket)
    if (identity !== undefined) return { username: identityAsUsername === true ? identity : undefined }
    if (requireCertificate !== true) return {}
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return { refusal: 'it showed no client certificate' }
    if (!socket.authorized) {
      return { refusal: describeVerifyFault(String(socket.authorizationError), certificate.subject) }
    }
    const { subject } = certificate
    if (subjectAsUsername === true) return { username: rfc2253(subject) }
    if (identityAsUsername !== true) return { subject: rfc2253(subject) }
    const name = commonNameOf(certificate)
    return name === undefined ? { refusal: 'its certificate has no common name' } : { username: name }
  }

  private keyOf(socket: TLSSocket, identity: string): Buffer | null {
    const key = this.contexts.keys?.get(identity)
    if (key === undefined) return null
    this.identities.set(socket, identity)
    return key
  }

  private failed(error: Error, socket: TLSSocket): void {
    const remoteAddress = this.begun.get(keyOf(socket))?.remoteAddress
    socket.destroy()
    // Who closes before the handshake is done has said nothing that could be wrong.
    const said = describeTlsFault(error)
    if (said === undefined) return
    // The system forgets the address of a peer that said what is wrong and went at once.
    this.report(remoteAddress, remoteAddress === undefined ? `a client that has gone: ${said}` : said)
  }
}

function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress}:${remotePort} ${localAddress}:${localPort}`
}
