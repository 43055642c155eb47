import { MalformedPacketError } from '../errors.ts'
import { decodeUtf8 } from './utf8.ts'

/** Bytes that `value` takes as a Variable Byte Integer: 1 to 4.
 *  @see MQTT 5.0, 1.5.5 */
export function variableByteIntegerLength(value: number): 1 | 2 | 3 | 4 {
  return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4
}

/** The one bounds-checked reader: every read inside a packet goes through it.
 *  A read beyond `end` throws MalformedPacketError naming the field. */
export class Reader {
  bytes: Uint8Array
  offset: number
  end: number
  readonly strict: boolean

  constructor(strict = true) {
    this.bytes = EMPTY
    this.offset = 0
    this.end = 0
    this.strict = strict
  }

  reset(bytes: Uint8Array, offset: number, end: number): void {
    this.bytes = bytes
    this.offset = offset
    this.end = end
  }

  get remaining(): number {
    return this.end - this.offset
  }

  byte(what: string): number {
    if (this.offset >= this.end) throw tooShort(what)
    return this.bytes[this.offset++]!
  }

  uint16(what: string): number {
    const at = this.offset
    if (at + 2 > this.end) throw tooShort(what)
    this.offset = at + 2
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  /** Unsigned: never built with `<<` alone. */
  uint32(what: string): number {
    const at = this.offset
    if (at + 4 > this.end) throw tooShort(what)
    this.offset = at + 4
    const b = this.bytes
    return b[at]! * 0x1000000 + ((b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!)
  }

  /** @throws MalformedPacketError beyond four bytes, or when not the shortest form [MQTT-1.5.5-1] */
  variableByteInteger(what: string): number {
    let value = 0
    let scale = 1
    for (let size = 1; size <= 4; size++) {
      const c = this.byte(what)
      value += (c & 0x7f) * scale
      if (c < 0x80) {
        if (size > 1 && c === 0) throw new MalformedPacketError(`${what}: not in the shortest form`)
        return value
      }
      scale *= 128
    }
    throw new MalformedPacketError(`${what}: Variable Byte Integer longer than 4 bytes`)
  }

  string(what: string): string {
    const length = this.uint16(what)
    const start = this.offset
    if (start + length > this.end) throw tooShort(what)
    this.offset = start + length
    return decodeUtf8(this.bytes, start, start + length, what, this.strict)
  }

  /** A view, not a copy: valid as long as the bytes given to the parser are. */
  binary(what: string): Uint8Array {
    const length = this.uint16(what)
    if (this.offset + length > this.end) throw tooShort(what)
    return this.view(length)
  }

  /** The rest of the packet as a view. */
  rest(): Uint8Array {
    return this.view(this.end - this.offset)
  }

  private view(length: number): Uint8Array {
    if (length === 0) return EMPTY
    const start = this.bytes.byteOffset + this.offset
    this.offset += length
    // Half the cost of Buffer.subarray (bench/codec).
    return new Uint8Array(this.bytes.buffer, start, length)
  }
}

/** No bytes: what an empty payload is. */
export const EMPTY: Uint8Array = new Uint8Array(0)

function tooShort(what: string): MalformedPacketError {
  return new MalformedPacketError(`${what}: the packet ends before it does`)
}
