import { MalformedPacketError } from '../errors.ts'

/** Decodes Latin-1 bytes where the platform has something faster than the loop below (Node's Buffer). */
type Latin1Slice = (this: Uint8Array, start: number, end: number) => string
const latin1Slice = (globalThis as { Buffer?: { prototype: { latin1Slice?: Latin1Slice } } }).Buffer
  ?.prototype.latin1Slice

const units = new Uint16Array(4096)

/** Decodes one UTF-8 Encoded String of MQTT, already without its length.
 *  @param strict refuse the control and non-characters that 1.5.4 advises against as well
 *  @throws MalformedPacketError on bad UTF-8, surrogates [MQTT-1.5.4-1] and U+0000 [MQTT-1.5.4-2]
 *  @see MQTT 5.0, 1.5.4 */
export function decodeUtf8(
  bytes: Uint8Array,
  start: number,
  end: number,
  what: string,
  strict: boolean,
): string {
  let i = start
  while (i < end) {
    const c = bytes[i]!
    if (c > 0x7e || c < 0x20) break
    i++
  }
  if (i === end) return asciiSlice(bytes, start, end)
  return decodeSlowly(bytes, start, end, what, strict)
}

function asciiSlice(bytes: Uint8Array, start: number, end: number): string {
  if (latin1Slice !== undefined) return latin1Slice.call(bytes, start, end)
  if (end - start <= units.length) return fromUnits(bytes.subarray(start, end))
  let text = ''
  for (let i = start; i < end; i += 4096) text += fromUnits(bytes.subarray(i, Math.min(i + 4096, end)))
  return text
}

function fromUnits(codes: Uint8Array | Uint16Array): string {
  return String.fromCharCode.apply(null, codes as unknown as number[])
}

function decodeSlowly(bytes: Uint8Array, start: number, end: number, what: string, strict: boolean): string {
  let text = ''
  let used = 0
  for (let i = start; i < end; ) {
    const lead = bytes[i]!
    let point: number
    let size: number
    if (lead < 0x80) {
      point = lead
      size = 1
    } else if (lead >= 0xc2 && lead < 0xe0) {
      point = lead & 0x1f
      size = 2
    } else if (lead >= 0xe0 && lead < 0xf0) {
      point = lead & 0x0f
      size = 3
    } else if (lead >= 0xf0 && lead < 0xf5) {
      point = lead & 0x07
      size = 4
    } else {
      throw new MalformedPacketError(`${what}: byte 0x${lead.toString(16)} cannot begin a UTF-8 character`)
    }
    if (i + size > end) throw new MalformedPacketError(`${what}: ends inside a UTF-8 character`)
    for (let k = 1; k < size; k++) {
      const c = bytes[i + k]!
      if ((c & 0xc0) !== 0x80) throw new MalformedPacketError(`${what}: not valid UTF-8`)
      point = (point << 6) | (c & 0x3f)
    }
    checkPoint(point, size, what, strict)
    i += size
    if (point > 0xffff) {
      units[used++] = 0xd800 + ((point - 0x10000) >> 10)
      units[used++] = 0xdc00 + ((point - 0x10000) & 0x3ff)
    } else units[used++] = point
    if (used >= units.length - 1) {
      text += fromUnits(units.subarray(0, used))
      used = 0
    }
  }
  return text + fromUnits(units.subarray(0, used))
}

function checkPoint(point: number, size: number, what: string, strict: boolean): void {
  if ((size === 3 && point < 0x800) || (size === 4 && point < 0x10000)) {
    throw new MalformedPacketError(`${what}: over-long UTF-8`)
  }
  if (point > 0x10ffff) throw new MalformedPacketError(`${what}: beyond U+10FFFF`)
  if (point >= 0xd800 && point <= 0xdfff) {
    throw new MalformedPacketError(`${what}: holds a surrogate (U+${point.toString(16).toUpperCase()})`)
  }
  if (point === 0) throw new MalformedPacketError(`${what}: holds U+0000`)
  if (strict && isDiscouraged(point)) {
    throw new MalformedPacketError(
      `${what}: holds U+${point.toString(16).toUpperCase().padStart(4, '0')}, a control or non-character`,
    )
  }
}

/** Control characters and non-characters: legal, but "SHOULD NOT" be sent and may be refused (1.5.4). */
export function isDiscouraged(point: number): boolean {
  if (point < 0x20) return true
  if (point < 0x7f) return false
  if (point <= 0x9f) return true
  if (point >= 0xfdd0 && point <= 0xfdef) return true
  return (point & 0xfffe) === 0xfffe
}

/** Bytes that `text` takes as UTF-8.
 *  @throws TypeError when it is no string; RangeError on U+0000, an unpaired surrogate or more than 65535 bytes */
export function utf8Length(text: string, what: string): number {
  if (typeof text !== 'string') throw new TypeError(`${what} takes a string, not ${typeof text}`)
  const count = text.length
  let length = count
  for (let i = 0; i < count; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x80) {
      if (c === 0) throw new RangeError(`${what} holds U+0000, which MQTT strings cannot carry`)
    } else if (c < 0x800) length++
    else {
      length += 2
      if (c >= 0xd800 && c <= 0xdfff) {
        const low = text.charCodeAt(i + 1)
        if (c > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) {
          throw new RangeError(`${what} holds an unpaired surrogate, which UTF-8 cannot carry`)
        }
        i++ // the pair takes four bytes: two units counted, two added
      }
    }
  }
  if (length > 65535) throw new RangeError(`${what} takes ${length} bytes as UTF-8; 65535 is the most`)
  return length
}

/** Writes `text`, which `utf8Length` has checked, and gives the offset behind it. */
export function writeUtf8(bytes: Uint8Array, offset: number, text: string): number {
  const count = text.length
  for (let i = 0; i < count; i++) {
    let c = text.charCodeAt(i)
    if (c < 0x80) bytes[offset++] = c
    else if (c < 0x800) {
      bytes[offset++] = 0xc0 | (c >> 6)
      bytes[offset++] = 0x80 | (c & 0x3f)
    } else if (c < 0xd800 || c > 0xdfff) {
      bytes[offset++] = 0xe0 | (c >> 12)
      bytes[offset++] = 0x80 | ((c >> 6) & 0x3f)
      bytes[offset++] = 0x80 | (c & 0x3f)
    } else {
      c = 0x10000 + ((c & 0x3ff) << 10) + (text.charCodeAt(++i) & 0x3ff)
      bytes[offset++] = 0xf0 | (c >> 18)
      bytes[offset++] = 0x80 | ((c >> 12) & 0x3f)
      bytes[offset++] = 0x80 | ((c >> 6) & 0x3f)
      bytes[offset++] = 0x80 | (c & 0x3f)
    }
  }
  return offset
}
