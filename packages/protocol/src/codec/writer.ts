import { writeUtf8 } from './utf8.ts'

/** Writes fields one after the other into bytes whose size was computed before. It checks nothing:
 *  the length functions of encode.ts have refused what cannot be written. */
export class Writer {
  bytes: Uint8Array
  offset: number

  constructor() {
    this.bytes = new Uint8Array(0)
    this.offset = 0
  }

  reset(bytes: Uint8Array, offset: number): void {
    this.bytes = bytes
    this.offset = offset
  }

  byte(value: number): void {
    this.bytes[this.offset++] = value
  }

  uint16(value: number): void {
    this.bytes[this.offset++] = value >> 8
    this.bytes[this.offset++] = value
  }

  uint32(value: number): void {
    const b = this.bytes
    b[this.offset++] = value >>> 24
    b[this.offset++] = value >>> 16
    b[this.offset++] = value >>> 8
    b[this.offset++] = value
  }

  variableByteInteger(value: number): void {
    while (value > 127) {
      this.bytes[this.offset++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    this.bytes[this.offset++] = value
  }

  string(text: string): void {
    const start = this.offset
    const end = writeUtf8(this.bytes, start + 2, text)
    const length = end - start - 2
    this.bytes[start] = length >> 8
    this.bytes[start + 1] = length
    this.offset = end
  }

  binary(value: Uint8Array): void {
    this.uint16(value.length)
    this.raw(value)
  }

  raw(value: Uint8Array): void {
    this.bytes.set(value, this.offset)
    this.offset += value.length
  }
}
