import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  type Connack,
  type Connect,
  encode,
  type Packet,
  Parser,
  type ProtocolVersion,
  type Publish,
  type QoS,
} from '@pipit/protocol'

type Publication = Pick<Publish, 'topic'> &
  Partial<Omit<Publish, 'payload'>> & { payload?: string | Uint8Array }

/** A client that does nothing by itself: what it sends and when it answers is the test's. */
export class Peer {
  /** Packets that have come and not been taken. */
  readonly received: Packet[] = []
  connack: Connack | undefined
  private readonly socket: Socket
  private readonly parser: Parser
  private readonly version: ProtocolVersion
  private waiting: (() => void) | undefined
  private ended = false
  private packetId = 0

  private constructor(socket: Socket, version: ProtocolVersion) {
    this.socket = socket
    this.version = version
    this.parser = new Parser({ protocolVersion: version })
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.take(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
      this.waiting?.()
    })
  }

  /** Connects, with CONNECT and CONNACK. */
  static async open(port: number, options: Partial<Connect> & { clientId: string }): Promise<Peer> {
    const version = options.protocolVersion ?? 5
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const peer = new Peer(socket, version)
    peer.send({ type: 'CONNECT', cleanStart: true, keepAlive: 0, ...options, protocolVersion: version })
    const answer = await peer.next()
    if (answer.type !== 'CONNACK') throw new Error(`${answer.type} instead of CONNACK`)
    peer.connack = answer
    return peer
  }

  send(packet: Packet): void {
    this.socket.write(encode(packet, this.version))
  }

  /** Sends bytes that were encoded before; settles when the socket can take more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.socket.write(bytes)) await once(this.socket, 'drain')
  }

  /** Sends PUBLISH and gives its identifier. */
  publish(message: Publication): number {
    const { payload = '', qos = 0, ...rest } = message
    const packetId = qos === 0 ? 0 : ++this.packetId
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    this.send({ type: 'PUBLISH', retain: false, dup: false, packetId, ...rest, qos, payload: bytes })
    return packetId
  }

  /** Subscribes and gives the reason codes of SUBACK. */
  async subscribe(topicFilter: string, qos: QoS = 0): Promise<readonly number[]> {
    const packetId = ++this.packetId
    this.send({ type: 'SUBSCRIBE', packetId, subscriptions: [{ topicFilter, qos }] })
    const answer = await this.next('SUBACK')
    return answer.reasonCodes
  }

  /** The next packet, or the next of a type, in which case others stay. */
  async next<T extends Packet['type'] = Packet['type']>(type?: T): Promise<Extract<Packet, { type: T }>> {
    for (;;) {
      const index = this.received.findIndex((packet) => type === undefined || packet.type === type)
      if (index >= 0) return this.received.splice(index, 1)[0] as Extract<Packet, { type: T }>
      if (this.ended) throw new Error(`closed while waiting for ${type ?? 'a packet'}`)
      await new Promise<void>((resolve) => {
        this.waiting = resolve
      })
    }
  }

  /** Everything that the broker sent before it answers a PINGREQ: the proof that nothing else came. */
  async drain(): Promise<Packet[]> {
    this.send({ type: 'PINGREQ' })
    await this.next('PINGRESP')
    return this.received.splice(0)
  }

  /** Settles when the broker has closed. */
  async closed(): Promise<void> {
    if (!this.ended) await once(this.socket, 'close')
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Goes without a word. */
  async cut(): Promise<void> {
    this.socket.destroy()
    await this.closed()
  }

  /** Goes with DISCONNECT. */
  async leave(): Promise<void> {
    this.send({ type: 'DISCONNECT', reasonCode: 0 })
    await this.closed()
  }

  private take(chunk: Buffer): void {
    this.parser.push(chunk)
    for (let packet = this.parser.next(); packet !== undefined; packet = this.parser.next()) {
      this.received.push(packet)
    }
    this.waiting?.()
  }
}

/** Payloads of the PUBLISH packets among these, as text. */
export function payloads(packets: readonly Packet[]): string[] {
  return packets.flatMap((packet) =>
    packet.type === 'PUBLISH' ? [Buffer.from(packet.payload).toString()] : [],
  )
}
