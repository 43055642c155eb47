import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type WebSocket, WebSocketServer } from 'ws'
import type { ByteStream, StreamReceiver } from '../src/index.ts'

/** A socket of the `ws` package as a ByteStream: another implementation of RFC 6455 at the far end. */
export class WsStream implements ByteStream {
  readonly socket: WebSocket
  private early: Uint8Array[] = []
  private receiver: StreamReceiver | undefined = undefined

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.binaryType = 'nodebuffer'
    socket.on('error', () => {})
    socket.on('message', (data) => {
      if (this.receiver === undefined) this.early.push(data as Buffer)
      else this.receiver.data(data as Buffer)
    })
  }

  start(receiver: StreamReceiver): void {
    this.receiver = receiver
    this.socket.on('close', () => receiver.closed())
    for (const chunk of this.early.splice(0)) receiver.data(chunk)
  }

  write(bytes: Uint8Array, written: () => void): void {
    this.socket.send(bytes, (error) => {
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
    this.socket.close(1000)
  }

  destroy(): void {
    this.socket.terminate()
  }
}

/** A WebSocket server of the `ws` package on a free port. */
export async function webSocketServer(
  servers: { close(): unknown }[],
  certificate?: { key: Buffer; cert: Buffer },
): Promise<{ port: number; next: () => Promise<WsStream> }> {
  const http = certificate === undefined ? createServer() : createTlsServer(certificate)
  const server = new WebSocketServer({ server: http, handleProtocols: () => 'mqtt' })
  const arrived: WsStream[] = []
  let arrive: () => void = () => {}
  server.on('connection', (socket) => {
    arrived.push(new WsStream(socket))
    arrive()
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  servers.push(http, {
    close: () => {
      for (const socket of server.clients) socket.terminate()
    },
  })
  const next = async (): Promise<WsStream> => {
    if (arrived.length === 0) {
      await new Promise<void>((resolve) => {
        arrive = resolve
      })
    }
    return arrived.shift()!
  }
  return { port: (http.address() as { port: number }).port, next }
}
