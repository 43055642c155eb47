import { encodedLength, encodeInto, type Packet, type ProtocolVersion, TopicAliasOnly } from '@pipit/protocol'

/** Size of the buffer that the packets of one turn are written into. */
const BUFFER_BYTES = 65536

/** Encodes packets one behind the other into a pooled buffer: one is filled while the other is being written. */
export class WriteBuffer {
  /** Bytes that wait. */
  used = 0
  private buffer: Uint8Array = new Uint8Array(4096)
  private spare: Uint8Array | undefined = undefined
  private lent: Uint8Array | undefined = undefined

  /** @throws TypeError, RangeError for what MQTT cannot carry; nothing is written then */
  add(packet: Packet, version: ProtocolVersion): void {
    const needed = this.missing(packet, version)
    if (needed > 0) this.grow(needed)
    this.used = encodeInto(packet, version, this.buffer, this.used)
  }

  /** Says whether it is better sent before this packet is added than made larger. */
  isFullFor(packet: Packet, version: ProtocolVersion): boolean {
    return this.used >= BUFFER_BYTES / 2 && this.missing(packet, version) > 0
  }

  /** What waits, until `giveBack`; the next is written elsewhere. */
  take(): Uint8Array {
    const bytes = this.buffer
    const length = this.used
    this.buffer = this.spare ?? new Uint8Array(bytes.length > BUFFER_BYTES ? BUFFER_BYTES : bytes.length)
    this.spare = undefined
    this.used = 0
    this.lent = bytes
    return length === bytes.length ? bytes : bytes.subarray(0, length)
  }

  /** What was taken has been sent. */
  giveBack(): void {
    const bytes = this.lent
    if (bytes !== undefined && bytes.length <= BUFFER_BYTES) this.spare = bytes
    this.lent = undefined
  }

  /** The bytes that a packet takes if there is no room for it; else 0. */
  private missing(packet: Packet, version: ProtocolVersion): number {
    const room = this.buffer.length - this.used
    if (upperBound(packet) <= room) return 0
    const length = encodedLength(packet, version)
    return length > room ? length : 0
  }

  private grow(needed: number): void {
    let size = Math.max(this.buffer.length, 4096)
    while (size < this.used + needed) size *= 2
    const larger = new Uint8Array(size)
    larger.set(this.buffer.subarray(0, this.used))
    this.buffer = larger
  }
}

/** At least what a small packet takes, without measuring it. */
function upperBound(packet: Packet): number {
  switch (packet.type) {
    case 'PUBLISH':
      return packet.properties === undefined || packet.properties instanceof TopicAliasOnly
        ? packet.topic.length * 3 + packet.payload.length + 13
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
