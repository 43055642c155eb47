import { type Packet, Parser, type ProtocolVersion } from '@pipit/protocol'
import { ConnectionLostError } from '../errors.ts'
import type { ByteStream } from './stream.ts'
import { WriteBuffer } from './write-buffer.ts'

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

  private readonly buffer = new WriteBuffer()
  private inWriting = false
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
    return this.buffer.used + this.writing < HIGH_WATER_BYTES
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
    const { buffer, version } = this
    if (!this.inWriting && buffer.isFullFor(packet, version)) this.send()
    buffer.add(packet, version)
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

  private readonly flushNow = (): void => {
    this.flushPlanned = false
    if (!this.open) return
    // One write at a time: meanwhile the other buffer fills, and the next write is larger.
    if (this.inWriting) return
    if (this.buffer.used > 0) this.send()
    else if (this.ending) this.stream.end()
  }

  private send(): void {
    const bytes = this.buffer.take()
    this.inWriting = true
    this.writing = bytes.length
    this.bytesSent += bytes.length
    this.lastSent = this.options.now()
    this.stream.write(bytes, this.written)
  }

  private readonly written = (): void => {
    this.buffer.giveBack()
    this.inWriting = false
    this.writing = 0
    if (this.buffer.used > 0) this.send()
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
