import { MalformedPacketError } from '../errors.ts'

/** What is used of the page's own; this package compiles without its types. */
declare class TextDecoder {
  constructor(label: string, options: { fatal: boolean; ignoreBOM: boolean })
  decode(bytes: Uint8Array): string
}
declare class TextEncoder {
  encode(text: string): Uint8Array
  encodeInto(text: string, bytes: Uint8Array): { written: number }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()
/** A half of a surrogate pair without the other. */
const UNPAIRED = /\p{Cs}/u
/** Control characters and non-characters, U+0000 among them. */
const DISCOURAGED = /[\p{Cc}\p{Noncharacter_Code_Point}]/u

/** By the page's own decoder. @see codec/utf8.ts */
export function decodeUtf8(
  bytes: Uint8Array,
  start: number,
  end: number,
  what: string,
  strict: boolean,
): string {
  let text: string
  try {
    text = decoder.decode(bytes.subarray(start, end))
  } catch {
    throw new MalformedPacketError(`${what} is no UTF-8`)
  }
  if (text.includes('\0') || (strict && DISCOURAGED.test(text))) {
    throw new MalformedPacketError(`${what} is no UTF-8; it holds a control or non-character`)
  }
  return text
}

export function utf8Length(text: string, what: string): number {
  if (typeof text !== 'string') throw new TypeError(`${what} takes a string, not ${typeof text}`)
  if (text.includes('\0') || UNPAIRED.test(text)) {
    throw new RangeError(`${what} is no UTF-8; it holds U+0000 or an unpaired surrogate`)
  }
  const { length } = encoder.encode(text)
  if (length > 65535) throw new RangeError(`${what} takes ${length} bytes as UTF-8; 65535 is the most`)
  return length
}

export function writeUtf8(bytes: Uint8Array, offset: number, text: string): number {
  return offset + encoder.encodeInto(text, bytes.subarray(offset)).written
}
