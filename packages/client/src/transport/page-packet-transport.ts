import { encode, type Packet, Parser, type ProtocolVersion } from '@pipit/protocol'
import { ConnectionLostError } from '../errors.ts'
import type { PacketTransportOptions } from './packet-transport.ts'
import type { ByteStream } from './stream.ts'

/** From here on it is not writable. */
const HIGH_WATER_BYTES = 262144
/** A reader that is this many chunks behind stops the stream. */
const CHUNKS_AHEAD = 16

/** Packets over a byte stream, in few words. @see packet-transport.ts, whose place it takes in a page */
export class PacketTransport {
  lastReceived: number
  lastSent: number
  bytesReceived = 0
  bytesSent = 0
  onWritable: (() => void) | undefined = undefined
  isOpen = true

  private readonly stream: ByteStream
  private readonly options: PacketTransportOptions
  private readonly parser: Parser
  /** Chunks that came since the reader last wanted more. */
  private behind = 0
  private wake: (() => void) | undefined = undefined
  /** What the reader gets after the last packet. */
  private error: unknown = undefined
  private packets: Uint8Array[] = []
  private buffered = 0
  /** Bytes handed to the stream that it still holds. */
  private writing = 0
  private ending = false
  private readonly ended: Promise<void>
  private settle!: () => void

  constructor(stream: ByteStream, options: PacketTransportOptions) {
    this.stream = stream
    this.options = options
    this.lastReceived = this.lastSent = options.now()
    this.parser = new Parser(options)
    this.ended = new Promise((resolve) => {
      this.settle = resolve
    })
    stream.start(this)
  }

  get version(): ProtocolVersion {
    return this.parser.protocolVersion
  }

  get writable(): boolean {
    return this.buffered + this.writing < HIGH_WATER_BYTES
  }

  async readPacket(): Promise<Packet> {
    for (;;) {
      const packet = this.takePacket()
      if (packet !== undefined) return packet
      if (this.error !== undefined) throw this.error
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  takePacket(): Packet | undefined {
    for (;;) {
      const packet = this.parser.next()
      if (packet !== undefined) return packet
      const { behind } = this
      this.behind = 0
      if (behind < CHUNKS_AHEAD) return undefined
      this.stream.resume()
    }
  }

  /** Buffers one packet. @throws TypeError, RangeError for what MQTT cannot carry; nothing is written then */
  writePacket(packet: Packet): void {
    if (!this.isOpen || this.ending) return
    const bytes = encode(packet, this.version)
    if (this.packets.push(bytes) === 1) this.options.defer(() => this.flush())
    this.buffered += bytes.length
  }

  end(): Promise<void> {
    this.ending = true
    this.flush()
    return this.ended
  }

  destroy(): void {
    if (this.isOpen) this.stream.destroy()
  }

  interrupt(error: unknown): void {
    if (!this.isOpen) return
    this.error ??= error
    this.wake?.()
  }

  fail(error: unknown): void {
    if (!this.isOpen) return
    this.closed(error)
    this.stream.destroy()
  }

  data(chunk: Uint8Array): void {
    this.lastReceived = this.options.now()
    this.bytesReceived += chunk.length
    this.parser.push(chunk)
    if (++this.behind === CHUNKS_AHEAD) this.stream.pause()
    this.wake?.()
  }

  closed(error?: unknown): void {
    if (!this.isOpen) return
    this.interrupt(
      error instanceof ConnectionLostError
        ? error
        : new ConnectionLostError('the connection ended', { cause: error }),
    )
    this.isOpen = false
    this.settle()
    this.onWritable?.()
  }

  /** Writes what is buffered. One write at a time: meanwhile the next one grows. */
  private flush(): void {
    if (!this.isOpen || this.writing > 0) return
    if (this.buffered > 0) {
      const bytes = new Uint8Array(this.buffered)
      for (const packet of this.packets.splice(0)) {
        bytes.set(packet, this.writing)
        this.writing += packet.length
      }
      this.buffered = 0
      this.bytesSent += this.writing
      this.lastSent = this.options.now()
      this.stream.write(bytes, () => {
        this.writing = 0
        this.flush()
        if (this.writable) this.onWritable?.()
      })
    } else if (this.ending) this.stream.end()
  }
}
