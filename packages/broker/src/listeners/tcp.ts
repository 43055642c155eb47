import type { Socket } from 'node:net'
import { openServer, type SocketListenOptions } from './server.ts'
import { destroyLater } from './sockets.ts'
import type { Accept, ByteStream, Listener, StreamOwner } from './stream.ts'

export interface TcpListenOptions extends SocketListenOptions {
  /** Default 1883; 0 takes a free one. */
  readonly port?: number
  /** Unix socket path, instead of host and port. What a killed broker left there is removed. */
  readonly path?: string
  /** Permission bits of the unix socket, such as 0o660; default: what the umask leaves. */
  readonly mode?: number
}

/** Listens on TCP or a unix socket.
 *  @throws Error naming the address and what to do, when it cannot listen */
export async function listenTcp(options: TcpListenOptions, accept: Accept): Promise<Listener> {
  const { path, mode } = options
  const onSocket = (socket: Socket, remoteAddress: string): void =>
    acceptSocket(socket, remoteAddress, accept)
  if (path === undefined) return openServer('tcp', options, onSocket)
  return openServer('unix', options, onSocket, { path, mode })
}

/** Wires an accepted socket to its owner. */
function acceptSocket(socket: Socket, remoteAddress: string, accept: Accept): void {
  const stream = new SocketStream(socket, remoteAddress)
  stream.attach(accept(stream))
}

/** A net.Socket or tls.TLSSocket as a ByteStream. */
class SocketStream implements ByteStream {
  readonly remoteAddress: string
  readonly reusesChunks = false
  private readonly socket: Socket
  private error: Error | undefined

  constructor(socket: Socket, remoteAddress: string) {
    this.socket = socket
    this.remoteAddress = remoteAddress
  }

  attach(owner: StreamOwner): void {
    const socket = this.socket
    socket.on('data', (chunk: Buffer) => owner.onChunk(chunk))
    socket.on('drain', () => owner.onDrain())
    socket.on('error', (error: Error) => {
      this.error = error
    })
    socket.on('close', () => owner.onClose(this.error))
  }

  get pendingBytes(): number {
    return this.socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.socket
    if (socket.destroyed || socket.writableEnded) return true
    socket.write(bytes)
    return socket.writableLength === 0
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  end(): void {
    // destroySoon writes what is pending and closes without waiting for the peer's FIN.
    this.socket.destroySoon()
    destroyLater(this.socket)
  }

  destroy(): void {
    this.socket.destroy()
  }
}
