import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { encode, type Packet, type QoS } from '@pipit/protocol'
import { WebSocketFraming } from './web-socket-framing.ts'

/** Which broker, and how it is spoken to. */
export interface Target {
  readonly host: string
  readonly port: number
  /** 4: 3.1.1, 5: 5.0. */
  readonly version: 4 | 5
  readonly username?: string
  readonly password?: string
  /** Absent: no TLS. */
  readonly tls?: { readonly ca?: string; readonly verify: boolean }
  /** The path of a WebSocket; absent: MQTT on the socket itself. */
  readonly webSocketPath?: string
}

/** What a link tells its owner about: the packets that carry the load, and the end of each chunk. */
export interface LinkEvents {
  /** A PUBLISH lies in `bytes` from `start` to `end`; `body` is the offset behind its fixed header. */
  publish?(bytes: Uint8Array, start: number, body: number, end: number): void
  /** PUBACK, PUBREC, PUBREL or PUBCOMP, by its packet type 4 to 7. */
  acknowledged?(type: number, packetId: number): void
  /** Everything that came in one read has been told. */
  chunkEnd?(): void
  /** The broker closed the connection, or it broke. */
  ended?(why: string): void
}

const PUBLISH = 3
const PUBACK = 4
const PUBCOMP = 7
const CONNACK = 2
const DISCONNECT = 14

/** One MQTT connection of the load generator. It is no client: it reads into one buffer, tells the packets of
 *  the load by their first byte, and writes what is already encoded. */
export class Link {
  events: LinkEvents = {}
  private readonly target: Target
  private socket!: Socket
  private framing: WebSocketFraming | undefined
  private readonly input = Buffer.allocUnsafeSlow(65536)
  private store = Buffer.allocUnsafeSlow(65536)
  /** Bytes at the front of `store` that belong to a packet not yet whole. */
  private kept = 0
  private awaited: ((packet: { type: number; code: number }) => void) | undefined
  private closing = false

  private constructor(target: Target) {
    this.target = target
  }

  /** Connects, says CONNECT and waits for its acknowledgement.
   *  @param events of what comes right behind the acknowledgement, if that is to be heard
   *  @throws Error that says why there is no connection */
  static async open(
    target: Target,
    clientId: string,
    cleanStart = true,
    events: LinkEvents = {},
  ): Promise<Link> {
    const link = new Link(target)
    link.events = events
    await link.connect(clientId, cleanStart)
    return link
  }

  /** @throws Error when it is refused */
  async subscribe(topicFilter: string, qos: QoS): Promise<void> {
    await this.subscribeAll([topicFilter], qos)
  }

  /** Subscribes to all of them in one packet.
   *  @throws Error when the last is refused */
  async subscribeAll(topicFilters: readonly string[], qos: QoS = 0): Promise<void> {
    const subscriptions = topicFilters.map((topicFilter) => ({ topicFilter, qos }))
    const { code } = await this.ask({ type: 'SUBSCRIBE', packetId: 1, subscriptions })
    if (code >= 0x80) {
      throw new Error(`the broker refused a subscription to ${topicFilters.at(-1)} (0x${code.toString(16)})`)
    }
  }

  /** Hands bytes to the socket; `done` is called when they may be written over. */
  write(bytes: Uint8Array, done?: () => void): void {
    if (this.framing === undefined) this.socket.write(bytes, done)
    else {
      this.socket.write(this.framing.header(bytes.length))
      this.socket.write(bytes, done)
    }
  }

  close(): void {
    this.closing = true
    this.socket.destroy()
  }

  private async connect(clientId: string, cleanStart: boolean): Promise<void> {
    const { version, username, password, webSocketPath, host } = this.target
    await this.dial()
    if (webSocketPath !== undefined) {
      this.framing = new WebSocketFraming((bytes, length) => this.take(bytes, length))
      this.socket.write(WebSocketFraming.request(host, webSocketPath))
      await this.framing.accepted
    }
    const { code } = await this.ask({
      type: 'CONNECT',
      protocolVersion: version,
      clientId,
      cleanStart,
      keepAlive: 0,
      username,
      password: password === undefined ? undefined : Buffer.from(password),
      properties: version === 5 && !cleanStart ? { sessionExpiryInterval: 3600 } : undefined,
    })
    if (code !== 0) throw new Error(`the broker refused the connection (code ${code})`)
  }

  private async dial(): Promise<void> {
    const { host, port, tls } = this.target
    const onread = { buffer: this.input, callback: (length: number) => this.read(length) }
    const options = { host, port, noDelay: true, onread }
    this.socket =
      tls === undefined
        ? connectTcp(options)
        : connectTls({ ...options, ca: tls.ca, rejectUnauthorized: tls.verify, servername: nameOf(host) })
    await once(this.socket, tls === undefined ? 'connect' : 'secureConnect')
    let why = 'the broker closed a connection'
    this.socket.on('error', (error) => {
      why = error.message
    })
    this.socket.on('close', () => {
      if (!this.closing) this.events.ended?.(why)
    })
  }

  /** Writes a request and waits for the one packet that answers it. */
  private async ask(packet: Packet): Promise<{ type: number; code: number }> {
    const before = this.events.ended
    try {
      return await new Promise((resolve, reject) => {
        this.awaited = resolve
        this.events.ended = (why) => reject(new Error(why))
        this.write(encode(packet, this.target.version))
      })
    } finally {
      this.awaited = undefined
      this.events.ended = before
    }
  }

  private read(length: number): boolean {
    if (this.framing === undefined) this.take(this.input, length)
    else this.framing.read(this.input, length)
    this.events.chunkEnd?.()
    return true
  }

  private take(chunk: Buffer, length: number): void {
    if (this.kept === 0) {
      const rest = this.packets(chunk, length)
      this.keep(chunk, rest, length)
      return
    }
    // A packet spans reads: join what was kept with what came.
    const all = this.kept + length
    if (all > this.store.length) {
      const larger = Buffer.allocUnsafeSlow(2 * all)
      this.store.copy(larger, 0, 0, this.kept)
      this.store = larger
    }
    chunk.copy(this.store, this.kept, 0, length)
    this.kept = 0
    const rest = this.packets(this.store, all)
    this.store.copyWithin(0, rest, all)
    this.kept = all - rest
  }

  private keep(chunk: Buffer, from: number, length: number): void {
    this.kept = length - from
    if (this.kept > this.store.length) this.store = Buffer.allocUnsafeSlow(2 * this.kept)
    if (this.kept > 0) chunk.copy(this.store, 0, from, length)
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
        byte = bytes[body++]!
        remaining |= (byte & 127) << shift
        shift += 7
      } while (byte > 127)
      const end = body + remaining
      if (end > length) return start
      const type = bytes[start]! >> 4
      if (type === PUBLISH) this.events.publish?.(bytes, start, body, end)
      else if (type >= PUBACK && type <= PUBCOMP) {
        this.events.acknowledged?.(type, (bytes[body]! << 8) | bytes[body + 1]!)
      } else this.answer(type, bytes, body, end)
      start = end
    }
    return start
  }

  private answer(type: number, bytes: Buffer, body: number, end: number): void {
    if (type === DISCONNECT) {
      const code = end > body ? bytes[body]! : 0
      return this.events.ended?.(`the broker sent DISCONNECT (0x${code.toString(16)})`)
    }
    const code = type === CONNACK ? bytes[body + 1]! : bytes[end - 1]!
    this.awaited?.({ type, code })
  }
}

/** SNI takes no addresses. */
function nameOf(host: string): string | undefined {
  return /^[\d.]+$|:/.test(host) ? undefined : host
}
