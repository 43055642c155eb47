import type { Socket } from 'node:net'
import { type DirectWrites, directWrites, type Writer } from './direct-writes.ts'
import { readLent } from './lent-reads.ts'
import { type Arrival, openServer, type SocketListenOptions } from './server.ts'
import { destroyLater, whenTaken } from './sockets.ts'
import type { Accept, ByteStream, Gate, Listener, Report, StreamOwner, TlsPeer } from './stream.ts'

export interface TcpListenOptions extends SocketListenOptions {
  /** Default 1883, with TLS 8883; 0 takes a free one. */
  readonly port?: number
  /** Unix socket path, instead of host and port. What a killed broker left there is removed. */
  readonly path?: string
  /** Permission bits of the unix socket, such as 0o660; default: what the umask leaves. */
  readonly mode?: number
}

/** Listens on TCP or a unix socket.
 *  @throws Error naming the address and what to do, when it cannot listen */
export async function listenTcp(
  options: TcpListenOptions,
  accept: Accept,
  report: Report = () => undefined,
  gate: Gate = () => ADMITTED,
): Promise<Listener> {
  const { path, mode, port = options.tls === undefined ? 1883 : 8883 } = options
  const onSocket = (arrival: Arrival): void => {
    const stream = new SocketStream(arrival)
    stream.attach(accept(stream))
  }
  const kind = path === undefined ? 'tcp' : 'unix'
  const unix = path === undefined ? undefined : { path, mode }
  return openServer({ kind, protocol: 'mqtt' }, { ...options, port }, onSocket, report, gate, unix)
}

const ADMITTED = (): void => undefined

/** A net.Socket or tls.TLSSocket as a ByteStream. */
class SocketStream implements ByteStream, Writer {
  readonly remoteAddress: string
  readonly tls: TlsPeer | undefined
  readonly admitted: () => void
  reusesChunks = false
  private readonly socket: Socket
  private error: Error | undefined
  private owner: StreamOwner | undefined = undefined
  private direct: DirectWrites | undefined = undefined

  constructor({ socket, remoteAddress, tls, admitted }: Arrival) {
    this.socket = socket
    this.remoteAddress = remoteAddress
    this.admitted = admitted
    this.tls = tls
  }

  attach(owner: StreamOwner): void {
    this.owner = owner
    if (this.tls === undefined) {
      this.direct = directWrites(this.socket, this)
      this.reusesChunks = readLent(this.socket, (chunk, length) => owner.onChunk(chunk, length))
    }
    if (!this.reusesChunks) this.socket.on('data', (chunk: Buffer) => owner.onChunk(chunk))
    this.watch(owner)
  }

  private watch(owner: StreamOwner): void {
    const { socket } = this
    // Of direct writes the stream knows nothing.
    if (this.direct?.isReady !== true) socket.on('drain', () => owner.onDrain())
    socket.on('error', (error: Error) => {
      this.error = error
    })
    socket.on('close', () => {
      this.admitted()
      owner.onClose(this.error)
    })
  }

  get pendingBytes(): number {
    return this.socket.writableLength + (this.direct?.pendingBytes ?? 0)
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.socket
    if (socket.destroyed || socket.writableEnded) return true
    if (this.direct?.isReady === true) return this.direct.write(bytes)
    if (this.tls === undefined) socket.write(bytes)
    else socket.write(bytes, () => this.taken())
    if (socket.writableLength === 0) return true
    if (this.tls === undefined) whenTaken(socket, () => this.taken())
    return false
  }

  /** All that was written is with the kernel: TLS, too, never takes bytes at once, and each write says when it has. */
  taken(): void {
    if (this.socket.writableLength === 0) this.owner?.onDrain()
  }

  failed(error: Error): void {
    this.socket.destroy(error)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Closing at once spares what `end` does to shut down first: 5 % of a short connection (bench/broker connect). */
  leave(): void {
    if (this.tls === undefined && this.pendingBytes === 0) this.socket.destroy()
    else this.end()
  }

  end(): void {
    // destroySoon writes what is pending and closes without waiting for the peer's FIN.
    this.socket.destroySoon()
    if (this.pendingBytes > 0) destroyLater(this.socket)
  }

  destroy(): void {
    this.socket.destroy()
  }
}
