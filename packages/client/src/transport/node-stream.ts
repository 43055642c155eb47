import type { Duplex } from 'node:stream'
import type { ByteStream, StreamReceiver } from './stream.ts'

/** A Node stream (a TCP, TLS or Unix socket, or what a proxy gave) as a ByteStream. */
export class NodeStream implements ByteStream {
  private readonly duplex: Duplex

  constructor(duplex: Duplex) {
    this.duplex = duplex
    // Until `start`, bytes wait inside the stream, and an error must not end the process.
    duplex.on('error', ignore)
  }

  start(receiver: StreamReceiver): void {
    const duplex = this.duplex
    let failure: unknown
    duplex.on('error', (error) => {
      failure ??= error
    })
    duplex.on('data', (chunk: Uint8Array) => receiver.data(chunk))
    // One that a proxy's answer was read from is paused.
    duplex.resume()
    duplex.on('end', () => duplex.end())
    if (duplex.destroyed) queueMicrotask(() => receiver.closed(duplex.errored))
    else duplex.on('close', () => receiver.closed(failure))
  }

  write(bytes: Uint8Array, written: () => void): void {
    this.duplex.write(bytes, (error) => {
      if (error === undefined || error === null) written()
    })
  }

  pause(): void {
    this.duplex.pause()
  }

  resume(): void {
    this.duplex.resume()
  }

  end(): void {
    this.duplex.end()
  }

  destroy(): void {
    this.duplex.destroy()
  }
}

function ignore(): void {}

/** Waits until `socket` says it is connected.
 *  @throws the socket's error, or `signal.reason` */
export function opened<S extends Duplex>(socket: S, event: string, signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off(event, connected)
      socket.off('error', failed)
      socket.off('close', closed)
      signal.removeEventListener('abort', aborted)
    }
    const connected = (): void => {
      settle()
      resolve(socket)
    }
    const failed = (error: unknown): void => {
      settle()
      socket.on('error', ignore)
      socket.destroy()
      reject(error)
    }
    const closed = (): void => failed(new Error('the connection closed while it was being opened'))
    const aborted = (): void => failed(signal.reason)
    socket.on(event, connected)
    socket.on('error', failed)
    socket.on('close', closed)
    signal.addEventListener('abort', aborted)
    if (signal.aborted) aborted()
  })
}
