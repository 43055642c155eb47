import { connect, type Socket } from 'node:net'
import { type Connect, encode, type Packet, Parser, type Publish, type QoS } from '@pipit/protocol'

/** A client for tests: says what it is told to, and waits for what it is asked to wait for. */
export class TestClient {
  readonly packets: Packet[] = []
  /** What CONNECT was answered with: reason code, or return code in 3.x. */
  answer = -1
  /** The connection has ended. */
  ended = false
  private readonly socket: Socket
  private readonly version: 4 | 5
  private readonly parser: Parser
  private waiting: (() => void)[] = []

  private constructor(port: number, version: 4 | 5) {
    this.version = version
    this.parser = new Parser({ protocolVersion: version })
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('data', (chunk) => {
      this.parser.push(chunk)
      for (let packet = this.parser.next(); packet !== undefined; packet = this.parser.next())
        this.packets.push(packet)
      this.wake()
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.ended = true
      this.wake()
    })
  }

  /** Connects and settles with the CONNACK in `packets`. */
  static async open(port: number, hello: Partial<Connect> & { clientId: string }): Promise<TestClient> {
    const { protocolVersion = 5 } = hello
    const client = new TestClient(port, protocolVersion as 4 | 5)
    const properties = protocolVersion === 5 ? { sessionExpiryInterval: 3600 } : undefined
    client.send({ type: 'CONNECT', protocolVersion, cleanStart: false, keepAlive: 0, properties, ...hello })
    client.answer = (await client.next('CONNACK')).reasonCode
    return client
  }

  send(packet: Packet): void {
    this.socket.write(encode(packet, this.version))
  }

  publish(topic: string, payload: string, qos: QoS, packetId: number, more: Partial<Publish> = {}): void {
    const bytes = Buffer.from(payload)
    this.send({ type: 'PUBLISH', topic, payload: bytes, qos, packetId, retain: false, dup: false, ...more })
  }

  async subscribe(topicFilter: string, qos: QoS): Promise<void> {
    this.send({ type: 'SUBSCRIBE', packetId: 65000, subscriptions: [{ topicFilter, qos }] })
    await this.next('SUBACK')
  }

  /** Takes the next packet of a type out of what has come, waiting for it if need be. */
  async next<T extends Packet['type']>(type: T): Promise<Packet & { type: T }> {
    for (;;) {
      const index = this.packets.findIndex((packet) => packet.type === type)
      if (index >= 0) return this.packets.splice(index, 1)[0] as Packet & { type: T }
      if (this.ended) throw new Error(`the connection ended, no ${type} came`)
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  /** Settles once the broker has handled all that was sent before; what it said to it is in `packets`. */
  async round(): Promise<void> {
    this.send({ type: 'PINGREQ' })
    await this.next('PINGRESP')
  }

  /** Ends without DISCONNECT, and settles when it is over. */
  async drop(): Promise<void> {
    if (this.ended) return
    const over = new Promise<void>((resolve) => this.socket.once('close', () => resolve()))
    this.socket.destroy()
    await over
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}

export function text({ payload }: Publish): string {
  return Buffer.from(payload).toString()
}
