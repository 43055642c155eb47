import { connect, type Socket } from 'node:net'
import { decodeBody, encode, Frames, type Packet, type ProtocolVersion, Reader } from '@pipit/protocol'

/** How long a row waits for what should come, before it fails. */
const PATIENCE_MS = 5000

/** A packet that came, and its bytes. */
export interface Received {
  readonly packet: Packet
  readonly bytes: Buffer
}

/** A client made of a socket and a codec: it answers nothing by itself, so that a row decides what is said. */
export class Peer {
  readonly name: string
  version: ProtocolVersion
  ended = false
  private readonly socket: Socket
  private readonly frames = new Frames()
  private readonly reader = new Reader(true)
  private readonly queue: Received[] = []
  private fault: unknown
  private wake: (() => void) | undefined

  private constructor(name: string, version: ProtocolVersion, socket: Socket) {
    this.name = name
    this.version = version
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.take(Buffer.from(chunk)))
    socket.on('error', () => {}) // a reset is an end like another
    socket.on('close', () => {
      this.ended = true
      this.wake?.()
    })
  }

  /** Connects the socket, nothing more. */
  static async open(name: string, version: ProtocolVersion, host: string, port: number): Promise<Peer> {
    const socket = connect({ host, port, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new Peer(name, version, socket)
  }

  send(what: Packet | Uint8Array): void {
    this.socket.write(what instanceof Uint8Array ? what : encode(what, this.version))
  }

  /** The next packet. */
  async next(): Promise<Received> {
    await this.until(() => this.queue.length > 0, 'no packet came')
    return this.queue.shift()!
  }

  /** Waits until the connection is closed; nothing may come before. */
  async closed(): Promise<void> {
    await this.until(() => this.ended || this.queue.length > 0, 'the connection stays open')
    if (this.queue.length > 0) throw new Error(`${this.name}: instead of a close came ${this.describe()}`)
    if (this.frames.midPacket) throw new Error(`${this.name}: the connection was closed within a packet`)
  }

  /** Says PINGREQ and waits for the answer: whatever the server had for this client stands in the queue now. */
  async ping(): Promise<void> {
    this.send({ type: 'PINGREQ' })
    const at = () => this.queue.findIndex(({ packet }) => packet.type === 'PINGRESP')
    await this.until(() => at() >= 0, 'no PINGRESP came')
    this.queue.splice(at(), 1)
  }

  /** Throws unless all that came has been expected. */
  nothingLeft(): void {
    if (this.queue.length > 0) throw new Error(`${this.name}: unexpected ${this.describe()}`)
  }

  /** Closes our half and waits for the server to close its own. */
  async end(): Promise<void> {
    this.socket.end()
    await this.until(() => this.ended, 'the server does not close')
  }

  destroy(): void {
    this.socket.destroy()
  }

  private take(chunk: Buffer): void {
    try {
      this.frames.push(chunk)
      while (this.frames.next()) {
        const { bytes, start, bodyStart, end } = this.frames
        this.reader.reset(bytes, bodyStart, end)
        const packet = decodeBody(this.reader, bytes[start]!, this.version)
        this.queue.push({ packet, bytes: Buffer.from(bytes.subarray(start, end)) })
      }
    } catch (error) {
      this.fault = error
    }
    this.wake?.()
  }

  private async until(happened: () => boolean, otherwise: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS
    while (!happened()) {
      if (this.fault !== undefined)
        throw new Error(`${this.name}: the server sent what is malformed`, { cause: this.fault })
      if (this.ended) throw new Error(`${this.name}: ${otherwise}: the connection was closed`)
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`${this.name}: ${otherwise} in ${PATIENCE_MS} ms`)
      await this.event(left)
    }
  }

  private event(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  private describe(): string {
    return this.queue.map(({ packet, bytes }) => `${packet.type} ${bytes.toString('hex')}`).join(', ')
  }
}
