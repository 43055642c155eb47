import { connect, type Socket } from 'node:net'
import { type Connect, encode, type Packet, Parser, type ProtocolVersion } from '@pipit/protocol'

/** What a link's owner is told. */
export interface LinkOwner {
  onPacket(packet: Packet): void
  /** The connection has ended, or never began. Comes once. */
  onEnd(): void
}

/** One connection of a torture client: packets as they are, no session, no patience. */
export class Link {
  private readonly socket: Socket
  private readonly version: ProtocolVersion
  private ended = false

  constructor(port: number, hello: Connect, owner: LinkOwner) {
    this.version = hello.protocolVersion
    const parser = new Parser({ protocolVersion: hello.protocolVersion })
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket = socket
    socket.once('connect', () => socket.write(encode(hello, this.version)))
    socket.on('data', (chunk) => {
      parser.push(chunk)
      for (let packet = parser.next(); packet !== undefined && !this.ended; packet = parser.next()) {
        owner.onPacket(packet)
      }
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      if (this.ended) return
      this.ended = true
      owner.onEnd()
    })
  }

  send(packet: Packet): void {
    if (!this.ended) this.socket.write(encode(packet, this.version))
  }

  /** Ends without a word; the owner is not told. */
  drop(): void {
    this.ended = true
    this.socket.destroy()
  }
}
