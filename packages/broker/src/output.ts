import type { BufferPool } from './buffer-pool.ts'
import type { ByteStream } from './listeners/stream.ts'

/** Bytes that many connections send alike: a fan-out appends once, however many receive it. */
export class Segment {
  readonly buffer: Buffer
  length = 0
  /** Messages in it, and bytes of their payloads. */
  messages = 0
  payloadBytes = 0
  /** False once a receiver has something else to send behind it, or it has been written. */
  open = true
  /** True when a socket still reads from it, so that it cannot be used again. */
  lent = false
  private written: Uint8Array | undefined

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  /** What was appended, as one view for all sockets. */
  view(): Uint8Array {
    this.open = false
    this.written ??= this.buffer.subarray(0, this.length)
    return this.written
  }
}

interface Piece {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** Beyond this the output is written at once and not at the end of the turn. */
const EARLY_FLUSH = 262144

/** What a connection is going to send. Everything of one turn of the event loop goes out in one write. */
export class Output {
  /** The stream has bytes that the kernel did not take. */
  blocked = false
  /** Bytes written, and messages and bytes of payloads that were written with others. */
  bytesWritten = 0
  sharedMessages = 0
  sharedPayloadBytes = 0
  private readonly pool: BufferPool
  private readonly stream: ByteStream
  private own: Buffer | undefined = undefined
  private ownStart = 0
  private ownEnd = 0
  private shared: Segment | undefined = undefined
  private pieces: (Piece | Segment)[] | undefined = undefined

  constructor(stream: ByteStream, pool: BufferPool) {
    this.stream = stream
    this.pool = pool
  }

  /** Bytes that have not reached the kernel. */
  get backlog(): number {
    return this.ownEnd + (this.blocked ? this.stream.pendingBytes : 0)
  }

  /** Says whether nothing waits to be written. */
  get empty(): boolean {
    return this.ownEnd === 0 && this.shared === undefined && this.pieces === undefined
  }

  /** Makes room for `size` bytes at the end and gives the buffer; write at `offset`, then `advance`. */
  reserve(size: number): Buffer {
    if (this.shared !== undefined) this.seal()
    const own = this.own
    if (own !== undefined && this.ownEnd + size <= own.length) return own
    return this.grow(size)
  }

  get offset(): number {
    return this.ownEnd
  }

  advance(offset: number): void {
    this.ownEnd = offset
  }

  /** Appends a copy of `bytes` from `start` to `end`. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    const own = this.reserve(size)
    copyBytes(bytes, start, size, own, this.ownEnd)
    this.ownEnd += size
  }

  /** The bytes of `segment`, those still to be appended to it included, are next. */
  join(segment: Segment): void {
    if (this.shared !== undefined) this.seal()
    if (this.ownEnd > this.ownStart) this.cut()
    this.shared = segment
  }

  /** Hands over what there is. False when the kernel did not take all of it. */
  flush(): boolean {
    if (this.blocked && this.ownEnd < EARLY_FLUSH) return false
    let taken: boolean
    if (this.pieces !== undefined) taken = this.flushPieces()
    else if (this.shared !== undefined) {
      this.count(this.shared)
      this.bytesWritten += this.shared.length
      taken = this.stream.write(this.shared.view())
      if (!taken) this.shared.lent = true
      this.shared = undefined
    } else {
      const own = this.own
      if (own === undefined) return true
      this.bytesWritten += this.ownEnd
      taken = this.stream.write(own.subarray(0, this.ownEnd))
      if (taken) this.pool.give(own)
      this.own = undefined
      this.ownStart = this.ownEnd = 0
    }
    this.blocked = !taken
    return taken
  }

  /** Hands over what there is, also to a stream that is behind: it ends. */
  flushAll(): void {
    this.blocked = false
    if (!this.empty) this.flush()
  }

  /** True when so much waits that it should go before the turn ends. */
  get early(): boolean {
    return this.ownEnd >= EARLY_FLUSH && !this.blocked
  }

  /** Gives the buffers back; nothing is sent any more. */
  discard(): void {
    if (this.own !== undefined && this.pieces === undefined) this.pool.give(this.own)
    this.own = undefined
    this.ownStart = this.ownEnd = 0
    this.shared = undefined
    this.pieces = undefined
  }

  private count(segment: Segment): void {
    this.sharedMessages += segment.messages
    this.sharedPayloadBytes += segment.payloadBytes
  }

  private seal(): void {
    const shared = this.shared!
    shared.open = false
    this.pieces ??= []
    this.pieces.push(shared)
    this.shared = undefined
  }

  private cut(): void {
    this.pieces ??= []
    this.pieces.push({ bytes: this.own!, start: this.ownStart, end: this.ownEnd })
    this.ownStart = this.ownEnd
  }

  private grow(size: number): Buffer {
    const old = this.own
    if (old === undefined) {
      this.own = this.pool.take(size)
      return this.own
    }
    const larger = this.pool.take(Math.max(this.ownEnd + size, old.length + 1))
    if (this.pieces === undefined) {
      old.copy(larger, 0, 0, this.ownEnd)
      this.pool.give(old)
    } else {
      // Earlier pieces still point into the old buffer: only what follows them moves.
      old.copy(larger, this.ownStart, this.ownStart, this.ownEnd)
    }
    this.own = larger
    return larger
  }

  private flushPieces(): boolean {
    if (this.shared !== undefined) this.seal()
    if (this.ownEnd > this.ownStart) this.cut()
    const pieces = this.pieces!
    let size = 0
    for (const piece of pieces) size += piece instanceof Segment ? piece.length : piece.end - piece.start
    // One copy and one write: writev of many pieces is a fifth of the speed (bench/broker fan100).
    const all = this.pool.take(size)
    let offset = 0
    for (const piece of pieces) {
      if (piece instanceof Segment) this.count(piece)
      const start = piece instanceof Segment ? 0 : piece.start
      const end = piece instanceof Segment ? piece.length : piece.end
      copyBytes(piece instanceof Segment ? piece.buffer : piece.bytes, start, end - start, all, offset)
      offset += end - start
    }
    this.bytesWritten += size
    const taken = this.stream.write(all.subarray(0, size))
    if (taken) this.pool.give(all)
    this.own = undefined
    this.ownStart = this.ownEnd = 0
    this.pieces = undefined
    return taken
  }
}

/** Node's own copy, which takes any Uint8Array and, other than `set` of a part, makes no view of it: 104 bytes
 *  for each message (bench/budget). */
const copy = Buffer.prototype.copy as (
  this: Uint8Array,
  target: Uint8Array,
  targetStart: number,
  start: number,
  end: number,
) => number

/** Copies a few bytes in a loop and more by a call: the crossing is near 24 (bench/broker p2p0). */
export function copyBytes(
  from: Uint8Array,
  start: number,
  size: number,
  to: Uint8Array,
  offset: number,
): void {
  if (size <= 24) for (let i = 0; i < size; i++) to[offset + i] = from[start + i]!
  else copy.call(from, to, offset, start, start + size)
}
