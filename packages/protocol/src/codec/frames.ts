import { FramingError, MalformedPacketError, ProtocolError } from '../errors.ts'
import { reservedType } from './fields.ts'
import { Slab } from './slab.ts'

/** The largest packet MQTT can express: a fixed header of 5 bytes and 268,435,455 behind it. */
export const LARGEST_PACKET = 268435460

/** What is allocated at once for a packet that spans chunks: a peer that announces 256 MB
 *  and sends ten bytes costs this much, not 256 MB. */
const FIRST_HOLD = 65536

/** Cuts a byte stream, in any slicing, into packets. It copies only a packet that spans chunks.
 *
 *  `push` a chunk, then call `next` until it says false; in between, `bytes`, `start`, `bodyStart`
 *  and `end` show the current packet. The chunk may be reused once `next` has said false.
 *  @see MQTT 5.0, 2.1 */
export class Frames {
  /** Bytes that hold the current packet. */
  bytes: Uint8Array = NOTHING
  /** Offset of its fixed header. */
  start = 0
  /** Offset behind its fixed header. */
  bodyStart = 0
  /** Offset behind its last byte. */
  end = 0
  /** Bytes, fixed header included; larger packets are refused with 0x95 before anything is allocated. */
  maximumPacketSize: number

  private chunk: Uint8Array = NOTHING
  private at = 0
  /** Behind the chunk's last byte. */
  private limit = 0
  /** The chunk's bytes are only valid until `next` says false. */
  private lent = false
  private held: Uint8Array = NOTHING
  private heldLength = 0
  /** Size of the packet being held; 0 while its fixed header is incomplete. */
  private wanted = 0

  constructor(maximumPacketSize = LARGEST_PACKET) {
    this.maximumPacketSize = maximumPacketSize
  }

  /** Hands over the next bytes: those of `chunk` up to `limit`.
   *  @param lent whoever keeps bytes of a packet, or stops before `next` says false, has to call `own` first
   *  @throws Error when `next` has not said false yet: what is left of the chunk before would be lost */
  push(chunk: Uint8Array, lent = false, limit = chunk.length): void {
    if (this.at < this.limit) throw new Error('push() before next() said false')
    this.chunk = chunk
    this.at = 0
    this.limit = limit
    this.lent = lent
  }

  /** Moves to the next whole packet, or keeps what there is of it and says false.
   *  @throws MalformedPacketError on a bad Remaining Length; ProtocolError (0x95) on a packet too large */
  next(): boolean {
    if (this.heldLength > 0) return this.complete()
    const { chunk, limit } = this
    const start = this.at
    const available = limit - start
    // Type 0 is refused by its first byte: nothing behind it need be awaited.
    if (available > 0 && chunk[start]! < 0x10) throw reservedType()
    if (available < 2) return this.hold(available, 0)
    let offset = start + 1
    let remaining = chunk[offset++]!
    if (remaining > 127) {
      remaining &= 127
      for (let shift = 7; ; shift += 7) {
        if (offset === limit) return this.hold(available, 0)
        const c = chunk[offset++]!
        remaining |= (c & 127) << shift
        if (c < 128) {
          if (c === 0) throw notShortest()
          break
        }
        if (shift === 21) throw tooLong()
      }
    }
    const end = offset + remaining
    if (end - start > this.maximumPacketSize) throw this.tooLarge(end - start)
    if (end > limit) return this.hold(available, end - start)
    this.bytes = chunk
    this.start = start
    this.bodyStart = offset
    this.end = end
    this.at = end
    return true
  }

  /** Extends the current packet over those behind it in the same chunk that have the same length
   *  and the same first `prefix` bytes: `end` moves, and what is added is as good as taken by `next`.
   *  @returns how many were added */
  extendRun(prefix: number): number {
    const { bytes, start } = this
    if (bytes !== this.chunk) return 0
    const size = this.end - start
    let count = 0
    for (let at = this.at; at + size <= this.limit; at += size) {
      let i = 0
      while (i < prefix && bytes[at + i] === bytes[start + i]) i++
      if (i < prefix) break
      count++
    }
    this.at += count * size
    this.end = this.at
    return count
  }

  /** Copies a lent chunk from the current packet on, so that its bytes last.
   *  @returns whether `bytes` and the offsets are others now */
  own(): boolean {
    if (!this.lent) return false
    this.lent = false
    const isCurrent = this.bytes === this.chunk
    const from = isCurrent ? this.start : this.at
    owned.copy(this.chunk, from, this.limit)
    const moved = owned.start - from
    this.chunk = owned.bytes
    this.at += moved
    this.limit += moved
    if (!isCurrent) return false
    this.bytes = this.chunk
    this.start += moved
    this.bodyStart += moved
    this.end += moved
    return true
  }

  /** Says whether a packet has begun and not ended. */
  get midPacket(): boolean {
    return this.heldLength > 0
  }

  /** The first byte of a packet that has begun and not ended; 0 when there is none. */
  get begun(): number {
    return this.heldLength > 0 ? this.held[0]! : 0
  }

  private hold(available: number, wanted: number): false {
    if (available > 0) {
      const size = wanted === 0 ? 8 : Math.min(wanted, Math.max(FIRST_HOLD, available))
      this.held = new Uint8Array(size)
      this.held.set(this.chunk.subarray(this.at, this.limit))
      this.heldLength = available
      this.wanted = wanted
    }
    return this.await()
  }

  private complete(): boolean {
    while (this.wanted === 0) {
      if (this.at === this.limit) return this.await()
      const c = (this.held[this.heldLength++] = this.chunk[this.at++]!)
      if (this.heldLength > 1 && c < 128) this.measure(c)
      else if (this.heldLength === 5) throw tooLong()
    }
    const missing = this.wanted - this.heldLength
    const take = Math.min(missing, this.limit - this.at)
    this.grow(this.heldLength + take)
    this.held.set(this.chunk.subarray(this.at, this.at + take), this.heldLength)
    this.at += take
    this.heldLength += take
    if (take < missing) return this.await()
    this.bytes = this.held
    this.start = 0
    this.bodyStart = 1
    while (this.held[this.bodyStart++]! > 127);
    this.end = this.wanted
    this.held = NOTHING
    this.heldLength = 0
    return true
  }

  /** Lets go of the chunk: between two of them a quiet connection holds none. */
  private await(): false {
    this.chunk = NOTHING
    this.bytes = NOTHING
    this.at = this.limit = 0
    this.lent = false
    return false
  }

  private measure(last: number): void {
    if (this.heldLength > 2 && last === 0) throw notShortest()
    let remaining = 0
    for (let i = 1; i < this.heldLength; i++) remaining |= (this.held[i]! & 127) << (7 * (i - 1))
    this.wanted = this.heldLength + remaining
    if (this.wanted > this.maximumPacketSize) throw this.tooLarge(this.wanted)
  }

  private grow(needed: number): void {
    if (needed <= this.held.length) return
    const larger = new Uint8Array(Math.min(this.wanted, Math.max(needed, 2 * this.held.length, FIRST_HOLD)))
    larger.set(this.held.subarray(0, this.heldLength))
    this.held = larger
  }

  private tooLarge(size: number): ProtocolError {
    return new ProtocolError(
      `a packet of ${size} bytes; Maximum Packet Size is ${this.maximumPacketSize}`,
      0x95,
    )
  }
}

const NOTHING = new Uint8Array(0)
/** Where lent chunks are copied to. */
const owned = new Slab()

function tooLong(): FramingError {
  return new FramingError('Remaining Length: Variable Byte Integer longer than 4 bytes')
}

function notShortest(): MalformedPacketError {
  return new MalformedPacketError('Remaining Length: not in the shortest form')
}
