import { encodedLength, encodeInto, type Packet, Parser, type ProtocolVersion } from '@pipit/protocol'
import { ConnectionLostError } from '../errors.ts'
import type { ByteStream } from './stream.ts'

/** Size of the buffer that the packets of one turn are written into. */
const BUFFER_BYTES = 65536
/** From here on `writePacket` waits. */
const HIGH_WATER_BYTES = 262144
/** A reader that is this many chunks behind stops the stream. */
const CHUNKS_AHEAD = 16

export interface PacketTransportOptions {
  /** Runs a function at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly protocolVersion: ProtocolVersion
  /** Bytes that we accept in one packet. */
  readonly maximumPacketSize: number
}

/** Packets over a byte stream. Writes of one turn leave as one write of one pooled buffer. */
export class PacketTransport {
  /** When bytes last came and went, in the clock of the options. */
  lastReceived: number
  lastSent: number
  bytesReceived = 0
  bytesSent = 0
  /** Called when `writable` turns true again. */
  onWritable: (() => void) | undefined = undefined

  private readonly stream: ByteStream
  private readonly options: PacketTransportOptions
  private readonly parser: Parser
  private chunks: Uint8Array[] = []
  private paused = false
  private waiting: { resolve: (packet: Packet) => void; reject: (error: unknown) => void } | undefined
  private error: unknown = undefined
  private interruption: unknown = undefined
  private open = true

  private buffer: Uint8Array = new Uint8Array(4096)
  private used = 0
  private spare: Uint8Array | undefined = undefined
  private inWriting: Uint8Array | undefined = undefined
  /** Bytes handed to the stream that it still holds. */
  private writing = 0
  private flushPlanned = false
  private ending = false
  private drained: (() => void)[] = []
  private readonly ended: (() => void)[] = []

  constructor(stream: ByteStream, options: PacketTransportOptions) {
    this.stream = stream
    this.options = options
    this.lastReceived = this.lastSent = options.now()
    this.parser = new Parser({
      protocolVersion: options.protocolVersion,
      maximumPacketSize: options.maximumPacketSize,
    })
    stream.start(this)
  }

  get version(): ProtocolVersion {
    return this.parser.protocolVersion
  }

  /** False above the high-water mark, until the stream has taken what is buffered. */
  get writable(): boolean {
    return this.used + this.writing < HIGH_WATER_BYTES
  }

  /** Says whether the stream is still open. */
  get isOpen(): boolean {
    return this.open
  }

  /** The next packet. One reader at a time.
   *  @throws MalformedPacketError, ProtocolError; ConnectionLostError when the stream has ended */
  async readPacket(): Promise<Packet> {
    const packet = this.takePacket()
    if (packet !== undefined) return packet
    if (this.interruption !== undefined) throw this.interruption
    if (!this.open) throw this.error
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
    })
  }

  /** The next packet if it has arrived: a reader need not wait for each packet of a chunk. */
  takePacket(): Packet | undefined {
    for (;;) {
      const packet = this.parser.next()
      if (packet !== undefined) return packet
      const chunk = this.chunks.shift()
      if (chunk === undefined) break
      this.parser.push(chunk)
    }
    if (this.paused) {
      this.paused = false
      this.stream.resume()
    }
    return undefined
  }

  /** Buffers one packet. Gives undefined when there is room for more, else a promise that waits for room.
   *  @throws TypeError, RangeError for what MQTT cannot carry; nothing is written then */
  writePacket(packet: Packet): Promise<void> | undefined {
    if (!this.open || this.ending) return undefined
    this.encodePacket(packet)
    if (!this.flushPlanned) {
      this.flushPlanned = true
      this.options.defer(this.flushNow)
    }
    if (this.writable) return undefined
    return new Promise((resolve) => this.drained.push(resolve))
  }

  /** Sends what is buffered and closes in order; resolves when the stream has closed. */
  end(): Promise<void> {
    if (!this.open) return Promise.resolve()
    this.ending = true
    const ended = new Promise<void>((resolve) => this.ended.push(resolve))
    this.flushNow()
    return ended
  }

  /** Closes at once. */
  destroy(): void {
    if (this.open) this.stream.destroy()
  }

  /** Has the reader get an error of ours, as if the peer had caused it; the stream stays open for a farewell. */
  interrupt(error: unknown): void {
    if (!this.open) return
    this.interruption ??= error
    this.waiting?.reject(error)
    this.waiting = undefined
  }

  /** Ends the connection at once for a reason of ours: the reader gets the error. */
  fail(error: unknown): void {
    if (!this.open) return
    this.closed(error)
    this.stream.destroy()
  }

  // What the stream calls.

  data(chunk: Uint8Array): void {
    this.lastReceived = this.options.now()
    this.bytesReceived += chunk.length
    this.chunks.push(chunk)
    const waiting = this.waiting
    if (waiting === undefined) {
      if (this.chunks.length >= CHUNKS_AHEAD && !this.paused) {
        this.paused = true
        this.stream.pause()
      }
      return
    }
    try {
      const packet = this.takePacket()
      if (packet === undefined) return
      this.waiting = undefined
      waiting.resolve(packet)
    } catch (error) {
      this.waiting = undefined
      waiting.reject(error)
    }
  }

  closed(error?: unknown): void {
    if (!this.open) return
    this.open = false
    this.error =
      error instanceof ConnectionLostError
        ? error
        : new ConnectionLostError(
            error instanceof Error
              ? `the connection ended: ${error.message}`
              : 'the peer closed the connection',
            { cause: error },
          )
    this.waiting?.reject(this.error)
    this.waiting = undefined
    this.releaseDrained()
    for (const resolve of this.ended) resolve()
  }

  private encodePacket(packet: Packet): void {
    const room = this.buffer.length - this.used
    const bound = upperBound(packet)
    if (bound > room) {
      const length = encodedLength(packet, this.version)
      if (length > room) this.makeRoom(length)
    }
    this.used = encodeInto(packet, this.version, this.buffer, this.used)
  }

  /** Room for one packet behind what is buffered: by sending that, or by a larger buffer. */
  private makeRoom(length: number): void {
    if (this.used > 0 && this.inWriting === undefined && this.used >= BUFFER_BYTES / 2) this.send()
    if (this.buffer.length - this.used >= length) return
    let size = Math.max(this.buffer.length, 4096)
    while (size < this.used + length) size *= 2
    const larger = new Uint8Array(size)
    larger.set(this.buffer.subarray(0, this.used))
    this.buffer = larger
  }

  private readonly flushNow = (): void => {
    this.flushPlanned = false
    if (!this.open) return
    // One write at a time: meanwhile the other buffer fills, and the next write is larger.
    if (this.inWriting !== undefined) return
    if (this.used > 0) this.send()
    else if (this.ending) this.stream.end()
  }

  private send(): void {
    const bytes = this.buffer
    const length = this.used
    this.buffer = this.spare ?? new Uint8Array(bytes.length > BUFFER_BYTES ? BUFFER_BYTES : bytes.length)
    this.spare = undefined
    this.used = 0
    this.inWriting = bytes
    this.writing = length
    this.bytesSent += length
    this.lastSent = this.options.now()
    this.stream.write(length === bytes.length ? bytes : bytes.subarray(0, length), this.written)
  }

  private readonly written = (): void => {
    const bytes = this.inWriting
    if (bytes !== undefined && bytes.length <= BUFFER_BYTES) this.spare = bytes
    this.inWriting = undefined
    this.writing = 0
    if (this.used > 0) this.send()
    else if (this.ending) this.stream.end()
    if (this.writable) this.releaseDrained()
  }

  private releaseDrained(): void {
    if (this.drained.length > 0) {
      const waiters = this.drained
      this.drained = []
      for (const resolve of waiters) resolve()
    }
    this.onWritable?.()
  }
}

/** At least what a small packet takes, without measuring it. */
function upperBound(packet: Packet): number {
  switch (packet.type) {
    case 'PUBLISH':
      return packet.properties === undefined
        ? packet.topic.length * 3 + packet.payload.length + 10
        : Number.POSITIVE_INFINITY
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP':
      return packet.properties === undefined ? 5 : Number.POSITIVE_INFINITY
    default:
      return Number.POSITIVE_INFINITY
  }
}
