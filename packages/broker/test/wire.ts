import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import type { Broker, BrokerOptions } from '@pipit/broker'
import { Broker as TheBroker } from '@pipit/broker'
import {
  type Connect,
  encode,
  type Packet,
  type PacketType,
  Parser,
  type ProtocolVersion,
} from '@pipit/protocol'

type Of<T extends PacketType> = Extract<Packet, { type: T }>

/** A client that sends what a test says and gives it what comes, packet by packet. */
export class Wire {
  readonly socket: Socket
  readonly version: ProtocolVersion
  /** Settles when the connection is over. */
  readonly closed: Promise<void>
  isClosed = false
  private readonly parser: Parser
  private readonly packets: Packet[] = []
  private wake: (() => void) | undefined = undefined

  constructor(socket: Socket, version: ProtocolVersion) {
    this.socket = socket
    this.version = version
    this.parser = new Parser({ protocolVersion: version })
    socket.on('data', (chunk: Buffer) => this.took(chunk)).on('error', () => undefined)
    this.closed = once(socket, 'close').then(() => {
      this.isClosed = true
      this.wake?.()
    })
  }

  static async open(port: number, version: ProtocolVersion = 5): Promise<Wire> {
    const socket = connectSocket({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new Wire(socket, version)
  }

  /** Connects and reads CONNACK. */
  static async connect(port: number, packet: Partial<Connect> = {}): Promise<Wire> {
    const wire = await Wire.open(port, packet.protocolVersion ?? 5)
    await wire.hello(packet)
    return wire
  }

  async hello(packet: Partial<Connect> = {}): Promise<Of<'CONNACK'>> {
    this.send({
      type: 'CONNECT',
      protocolVersion: this.version,
      clientId: 'wire',
      cleanStart: true,
      keepAlive: 0,
      ...packet,
    })
    return this.receive('CONNACK')
  }

  send(...packets: Packet[]): void {
    this.socket.write(Buffer.concat(packets.map((packet) => encode(packet, this.version))))
  }

  publish(topic: string, payload = '', options: Partial<Of<'PUBLISH'>> = {}): void {
    const packetId = (options.qos ?? 0) > 0 ? 1 : 0
    const bytes = Buffer.from(payload)
    this.send({
      type: 'PUBLISH',
      topic,
      payload: bytes,
      qos: 0,
      retain: false,
      dup: false,
      packetId,
      ...options,
    })
  }

  async subscribe(topicFilter: string, qos: 0 | 1 | 2 = 0): Promise<Of<'SUBACK'>> {
    this.send({ type: 'SUBSCRIBE', packetId: 9, subscriptions: [{ topicFilter, qos }] })
    return this.receive('SUBACK')
  }

  /** The next packet, which must be of this type. */
  async receive<T extends PacketType>(type: T): Promise<Of<T>> {
    const packet = await this.any(type)
    if (packet.type !== type) throw new Error(`${JSON.stringify(packet)} instead of ${type}`)
    return packet as Of<T>
  }

  /** The next packet, whatever it is. */
  async any(wanted = 'a packet'): Promise<Packet> {
    for (;;) {
      const packet = this.packets.shift()
      if (packet !== undefined) return packet
      if (this.isClosed) throw new Error(`closed instead of ${wanted}`)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  /** Everything sent so far has been handled, and nothing but PINGRESP has come. */
  async settles(): Promise<void> {
    this.send({ type: 'PINGREQ' })
    await this.receive('PINGRESP')
  }

  private took(chunk: Buffer): void {
    this.parser.push(chunk)
    for (let packet = this.parser.next(); packet !== undefined; packet = this.parser.next()) {
      this.packets.push(packet.type === 'PUBLISH' ? { ...packet, payload: packet.payload.slice() } : packet)
    }
    this.wake?.()
  }
}

/** Bytes as the text they are. */
export function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString()
}

/** Brokers and clients of one test file, ended after each test. */
export class Bench {
  private readonly brokers: Broker[] = []
  private readonly wires: Wire[] = []

  async broker(options: BrokerOptions = {}): Promise<{ broker: Broker; port: number }> {
    const broker = new TheBroker(options)
    this.brokers.push(broker)
    const { port } = await broker.listen({ port: 0 })
    return { broker, port }
  }

  async open(port: number, version?: ProtocolVersion): Promise<Wire> {
    const wire = await Wire.open(port, version)
    this.wires.push(wire)
    return wire
  }

  async connect(port: number, packet: Partial<Connect> = {}): Promise<Wire> {
    const wire = await Wire.connect(port, packet)
    this.wires.push(wire)
    return wire
  }

  async end(): Promise<void> {
    for (const wire of this.wires.splice(0)) wire.socket.destroy()
    await Promise.all(this.brokers.splice(0).map((broker) => broker.close()))
  }
}
