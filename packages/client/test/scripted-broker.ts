import { createServer, type Server, type Socket } from 'node:net'
import {
  type Connack,
  type Connect,
  encode,
  type Packet,
  type PacketType,
  Parser,
  type ProtocolVersion,
} from '@pipit/protocol'
import { type ByteStream, memoryPair, NodeStream, type Transport } from '../src/index.ts'

type PacketOf<T extends PacketType> = Extract<Packet, { type: T }>

/** The server's end of one connection, told step by step what to do. */
export class Peer {
  readonly received: Packet[] = []
  readonly closed: Promise<void>
  private readonly stream: ByteStream
  private readonly parser: Parser
  private readonly waiting: ((packet: Packet | undefined) => void)[] = []
  private hasClosed!: () => void
  private open = true

  constructor(stream: ByteStream) {
    this.stream = stream
    this.parser = new Parser()
    this.closed = new Promise((resolve) => {
      this.hasClosed = resolve
    })
    stream.start({ data: (chunk) => this.data(chunk), closed: () => this.finish() })
  }

  /** The next packet the client sends; undefined when it has closed the connection. */
  next(): Promise<Packet | undefined> {
    const packet = this.received.shift()
    if (packet !== undefined || !this.open) return Promise.resolve(packet)
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** The next packet, which must be of this type. */
  async expect<T extends PacketType>(type: T): Promise<PacketOf<T>> {
    const packet = await this.next()
    if (packet?.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(packet) ?? 'the end'}`)
    return packet as PacketOf<T>
  }

  /** Takes CONNECT and answers it. */
  async welcome(connack: Partial<Connack> = {}): Promise<Connect> {
    const connect = await this.expect('CONNECT')
    this.send({ type: 'CONNACK', sessionPresent: false, reasonCode: 0, ...connack })
    return connect
  }

  get version(): ProtocolVersion {
    return this.parser.protocolVersion
  }

  send(packet: Packet): void {
    this.sendBytes(encode(packet, this.parser.protocolVersion))
  }

  sendBytes(bytes: Uint8Array): void {
    this.stream.write(bytes, () => {})
  }

  /** Closes in order. */
  end(): void {
    this.stream.end()
  }

  /** Breaks the connection. */
  reset(): void {
    this.stream.destroy()
  }

  private data(chunk: Uint8Array): void {
    this.parser.push(chunk)
    for (let packet = this.parser.next(); packet !== undefined; packet = this.parser.next()) {
      const waiter = this.waiting.shift()
      if (waiter === undefined) this.received.push(packet)
      else waiter(packet)
    }
  }

  private finish(): void {
    this.open = false
    for (const waiter of this.waiting.splice(0)) waiter(undefined)
    this.hasClosed()
  }
}

/** A broker whose every step the test writes down. */
export interface ScriptedBroker {
  readonly url: string
  readonly transport: Transport | undefined
  /** The next connection that a client opens. */
  accept(): Promise<Peer>
  /** How many connections were opened. */
  readonly connections: number
  close(): void
}

class Accepting {
  connections = 0
  private readonly arrived: Peer[] = []
  private readonly waiting: ((peer: Peer) => void)[] = []

  accept(): Promise<Peer> {
    const peer = this.arrived.shift()
    return peer === undefined ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve(peer)
  }

  protected arrive(stream: ByteStream): void {
    this.connections++
    const peer = new Peer(stream)
    const waiter = this.waiting.shift()
    if (waiter === undefined) this.arrived.push(peer)
    else waiter(peer)
  }
}

class MemoryBroker extends Accepting implements ScriptedBroker {
  readonly url = 'mqtt://memory'
  readonly transport: Transport = async () => {
    const [ours, theirs] = memoryPair()
    this.arrive(theirs)
    return ours
  }
  close(): void {}
}

export function memoryBroker(): ScriptedBroker {
  return new MemoryBroker()
}

class SocketBroker extends Accepting implements ScriptedBroker {
  url = ''
  readonly transport = undefined
  private readonly sockets = new Set<Socket>()
  private readonly server: Server = createServer((socket) => {
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    this.arrive(new NodeStream(socket))
  })

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    this.url = `mqtt://127.0.0.1:${(this.server.address() as { port: number }).port}`
    return this
  }

  close(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }
}

export function socketBroker(): Promise<ScriptedBroker> {
  return new SocketBroker().listen()
}
