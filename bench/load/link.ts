import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { encode, type QoS } from '@pipit/protocol'

/** What a link tells its owner about: the two packets that carry the load, and the end of each chunk. */
export interface LinkEvents {
  /** A PUBLISH lies in `bytes` from `start` to `end`; `body` is the offset behind its fixed header. */
  publish?(bytes: Uint8Array, start: number, body: number, end: number): void
  puback?(packetId: number): void
  /** Everything that came in one read has been told. */
  chunkEnd?(): void
}

const PUBLISH = 3
const PUBACK = 4

/** One MQTT 3.1.1 connection of the load generator. It is no client: it reads into one buffer, tells
 *  PUBLISH and PUBACK by their first byte, and writes what is already encoded. */
export class Link {
  events: LinkEvents = {}
  private socket!: Socket
  private readonly input = Buffer.allocUnsafe(262144)
  /** Bytes at the front of `input` that belong to a packet not yet whole. */
  private kept = 0
  private awaited: ((type: number) => void) | undefined

  /** Connects, says CONNECT and waits for its acknowledgement. */
  static async open(port: number, clientId: string, cleanStart = true): Promise<Link> {
    const link = new Link()
    await link.connect(port, clientId, cleanStart)
    return link
  }

  /** For a link whose events are set before anything can come. */
  async connect(port: number, clientId: string, cleanStart: boolean): Promise<void> {
    await this.dial(port)
    const packet = { type: 'CONNECT', protocolVersion: 4, clientId, cleanStart, keepAlive: 0 } as const
    await this.ask(encode(packet, 4))
  }

  async subscribe(topicFilter: string, qos: QoS): Promise<void> {
    const packet = { type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter, qos }] } as const
    await this.ask(encode(packet, 4))
  }

  /** Hands bytes to the socket; `done` is called when they may be written over. */
  write(bytes: Uint8Array, done?: () => void): void {
    this.socket.write(bytes, done)
  }

  close(): void {
    this.socket.removeAllListeners('close')
    this.socket.destroy()
  }

  private async dial(port: number): Promise<void> {
    const target = Buffer.allocUnsafe(this.input.length)
    this.socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: target, callback: (length) => this.read(target, length) },
    })
    await once(this.socket, 'connect')
    this.socket.on('error', (error) => {
      throw error
    })
    this.socket.on('close', () => {
      throw new Error('the broker closed a connection of the load generator')
    })
  }

  /** Writes a request and waits for the one packet that answers it. */
  private async ask(bytes: Uint8Array): Promise<void> {
    const answered = new Promise<number>((resolve) => (this.awaited = resolve))
    this.socket.write(bytes)
    const type = await answered
    this.awaited = undefined
    if (type !== 2 && type !== 9) throw new Error(`the broker answered a request by packet type ${type}`)
  }

  private read(chunk: Buffer, length: number): boolean {
    if (this.kept === 0) {
      const rest = this.packets(chunk, length)
      if (rest < length) chunk.copy(this.input, 0, rest, length)
      this.kept = length - rest
    } else this.readBehindKept(chunk, length)
    this.events.chunkEnd?.()
    return true
  }

  /** A packet spans reads: join what was kept with the chunk, piece by piece if it does not fit. */
  private readBehindKept(chunk: Buffer, length: number): void {
    for (let from = 0; from < length; ) {
      const take = Math.min(length - from, this.input.length - this.kept)
      chunk.copy(this.input, this.kept, from, from + take)
      from += take
      const filled = this.kept + take
      const rest = this.packets(this.input, filled)
      this.input.copyWithin(0, rest, filled)
      this.kept = filled - rest
    }
  }

  /** Tells every whole packet and gives the offset of the first that is not. */
  private packets(bytes: Buffer, length: number): number {
    let start = 0
    while (length - start >= 2) {
      let body = start + 1
      let remaining = 0
      let shift = 0
      let byte: number
      do {
        if (body === length) return start
        byte = bytes[body++] as number
        remaining |= (byte & 127) << shift
        shift += 7
      } while (byte > 127)
      const end = body + remaining
      if (end > length) return start
      const type = (bytes[start] as number) >> 4
      if (type === PUBLISH) this.events.publish?.(bytes, start, body, end)
      else if (type === PUBACK)
        this.events.puback?.(((bytes[body] as number) << 8) | (bytes[body + 1] as number))
      else this.answer(type)
      start = end
    }
    return start
  }

  private answer(type: number): void {
    if (this.awaited === undefined) throw new Error(`the broker sent packet type ${type} unasked`)
    this.awaited(type)
  }
}
