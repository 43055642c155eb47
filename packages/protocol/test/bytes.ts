import { type Packet, Parser, type ParserOptions, type ProtocolVersion } from '../src/index.ts'

/** Bytes written as in the specification: hexadecimal pairs, 'text' for UTF-8, and […] for bytes with
 *  their length as a Variable Byte Integer in front.
 *  `bytesOf("40 [0001 00 [1f 0001 's']]")` */
export function bytesOf(text: string): Uint8Array {
  const stack: number[][] = [[]]
  for (const [token] of text.matchAll(/'[^']*'|[0-9a-fA-F]+|[[\]]/g)) {
    if (token === '[') stack.push([])
    else if (token === ']') {
      const inner = stack.pop() ?? []
      stack.at(-1)?.push(...variableByteInteger(inner.length), ...inner)
    } else if (token.startsWith("'")) stack.at(-1)?.push(...new TextEncoder().encode(token.slice(1, -1)))
    else stack.at(-1)?.push(...hexPairs(token))
  }
  return Uint8Array.from(stack[0] ?? [])
}

/** @see MQTT 5.0, 1.5.5 */
function variableByteInteger(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...variableByteInteger(value >> 7)]
}

function hexPairs(hex: string): number[] {
  if (hex.length % 2 !== 0) throw new Error(`odd number of hexadecimal digits: ${hex}`)
  return Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}

/** Every packet in `bytes`, handed to one parser at once. */
export function parseAll(bytes: Uint8Array, version: ProtocolVersion, options: ParserOptions = {}): Packet[] {
  const parser = new Parser({ protocolVersion: version, ...options })
  return drain(parser, bytes)
}

/** Pushes a chunk and takes what is complete. */
export function drain(parser: Parser, chunk: Uint8Array): Packet[] {
  const packets: Packet[] = []
  parser.push(chunk)
  for (let packet = parser.next(); packet !== undefined; packet = parser.next()) packets.push(packet)
  return packets
}

/** Bytes as text for messages and comparisons. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

/** What a call throws, to look at more than one of its fields. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
