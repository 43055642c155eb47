import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeBody,
  encode,
  encodedLength,
  encodeInto,
  Frames,
  MalformedPacketError,
  type Packet,
  Parser,
  ProtocolError,
  type ProtocolVersion,
  Reader,
} from '../src/index.ts'
import { packet } from './arbitraries.ts'
import { drain, hex, parseAll } from './bytes.ts'

const VERSIONS = [3, 4, 5] as const
const LENIENT = { strict: false }

describe.each(VERSIONS)('codec, version %i', (version) => {
  it('any packet encodes and decodes to itself', () => {
    fc.assert(
      fc.property(packet(version), (sent) => {
        const bytes = encode(sent, version)
        expect(bytes.length).toBe(encodedLength(sent, version))
        expect(parseAll(bytes, version, LENIENT)).toEqual([sent])
        const buffer = new Uint8Array(bytes.length + 6)
        expect(encodeInto(sent, version, buffer, 5)).toBe(bytes.length + 5)
        expect(hex(buffer.subarray(5, -1))).toBe(hex(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  it('any slicing of the bytes gives the same packets', () => {
    fc.assert(
      fc.property(fc.array(packet(version), { maxLength: 6 }), cuts(), (sent, at) => {
        const bytes = concat(sent.map((one) => encode(one, version)))
        const parser = new Parser({ protocolVersion: version, ...LENIENT })
        const received: Packet[] = []
        for (const chunk of slices(bytes, at)) {
          received.push(...structuredClone(drain(parser, chunk)))
          // The chunk is the caller's again.
          chunk.fill(0xee)
        }
        expect(received).toEqual(sent)
        expect(parser.midPacket).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('one byte at a time gives the same packets', () => {
    fc.assert(
      fc.property(fc.array(packet(version), { maxLength: 3 }), (sent) => {
        const bytes = concat(sent.map((one) => encode(one, version)))
        const parser = new Parser({ protocolVersion: version, ...LENIENT })
        expect(Array.from(bytes, (byte) => drain(parser, Uint8Array.of(byte))).flat()).toEqual(sent)
      }),
      { numRuns: 200 },
    )
  })

  it('a packet cut short is not a packet', () => {
    fc.assert(
      fc.property(packet(version), fc.nat(), (sent, n) => {
        const bytes = encode(sent, version)
        const kept = bytes.subarray(0, n % bytes.length)
        const parser = new Parser({ protocolVersion: version, ...LENIENT })
        expect(drain(parser, kept)).toEqual([])
        expect(parser.midPacket).toBe(kept.length > 0)
      }),
    )
  })

  it('random bytes throw nothing but MalformedPacketError and ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, strict) => {
        readOrRefuse(bytes, version, strict)
      }),
      { numRuns: 5000 },
    )
  })

  it('random bodies behind good headers throw nothing else either, and what is read can be written', () => {
    fc.assert(
      fc.property(firstByte(), fc.uint8Array({ maxLength: 40 }), (first, body) => {
        expectFaithful(Uint8Array.of(first, body.length, ...body), version)
      }),
      { numRuns: 20000 },
    )
  })

  it('a damaged packet is refused, or is another packet in its own form', () => {
    fc.assert(
      fc.property(packet(version), damage(), (sent, blows) => {
        expectFaithful(damaged(encode(sent, version), blows), version)
      }),
      { numRuns: 10000 },
    )
  })
})

function cuts(): fc.Arbitrary<number[]> {
  return fc.array(fc.nat({ max: 400 }), { maxLength: 8 })
}

function slices(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const points = [0, ...at.filter((n) => n < bytes.length), bytes.length].toSorted((a, b) => a - b)
  return points.slice(1).map((end, i) => bytes.slice(points[i], end))
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** First bytes of every type, with the flags it may have. */
function firstByte(): fc.Arbitrary<number> {
  const legal = [0x10, 0x20, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0]
  return fc.oneof(fc.constantFrom(...legal), fc.integer({ min: 0x30, max: 0x3f }))
}

interface Blow {
  readonly at: number
  readonly value: number
  readonly kind: 'set' | 'insert' | 'delete' | 'swap'
}

function damage(): fc.Arbitrary<Blow[]> {
  return fc.array(
    fc.record({
      at: fc.nat(),
      value: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat({ max: 255 })),
      kind: fc.constantFrom('set' as const, 'insert' as const, 'delete' as const, 'swap' as const),
    }),
    { minLength: 1, maxLength: 3 },
  )
}

/** Strikes the body and mends Remaining Length, so that the damage is met by the decoder and not by the framing. */
function damaged(bytes: Uint8Array, blows: readonly Blow[]): Uint8Array {
  const frames = new Frames()
  frames.push(bytes)
  frames.next()
  const body = [...bytes.subarray(frames.bodyStart)]
  for (const { at, value, kind } of blows) {
    const i = at % (body.length + 1)
    if (kind === 'set' && body.length > 0) body[i % body.length] = value
    else if (kind === 'insert') body.splice(i, 0, value)
    else if (kind === 'delete') body.splice(i, 1)
    else body.splice(i, 2, ...body.slice(i, i + 2).toReversed())
  }
  const length: number[] = []
  let rest = body.length
  do {
    length.push((rest & 127) | (rest > 127 ? 128 : 0))
    rest >>= 7
  } while (rest > 0)
  return Uint8Array.of(bytes[0] as number, ...length, ...body)
}

function readOrRefuse(bytes: Uint8Array, version: ProtocolVersion, strict: boolean): Packet[] | undefined {
  try {
    return parseAll(bytes, version, { strict })
  } catch (error) {
    if (error instanceof MalformedPacketError || error instanceof ProtocolError) return undefined
    throw error
  }
}

/** What is accepted must be what it seems: written again it is the same packet, in the same bytes
 *  unless these were a longer form that the specification allows. */
function expectFaithful(bytes: Uint8Array, version: ProtocolVersion): void {
  const frames = new Frames()
  let read: Packet
  try {
    frames.push(bytes)
    if (!frames.next()) return
    const reader = new Reader(false)
    reader.reset(frames.bytes, frames.bodyStart, frames.end)
    read = decodeBody(reader, bytes[0] as number, version)
  } catch (error) {
    if (error instanceof MalformedPacketError || error instanceof ProtocolError) return
    throw error
  }
  const spoken = read.type === 'CONNECT' ? read.protocolVersion : version
  const again = encode(read, spoken)
  expect(parseAll(again, spoken, LENIENT)).toEqual([read])
  const original = bytes.subarray(0, frames.end)
  if (hex(again) !== hex(original)) expect(mayBeLonger(read, spoken, original, again)).toBe(true)
}

/** Forms that are read and written differently. */
function mayBeLonger(
  read: Packet,
  version: ProtocolVersion,
  original: Uint8Array,
  again: Uint8Array,
): boolean {
  if (version === 3) return read.type === 'CONNECT' || original[0] === (again[0] as number) + 8
  if (version === 4) return false
  // Properties that repeat are written next to each other.
  if (sorted(original) === sorted(again) && repeats(read)) return true
  switch (read.type) {
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP':
    case 'DISCONNECT':
      // A reason code 0 or a Property Length 0 that could have been left out.
      return original.length > again.length && Object.keys(read.properties ?? {}).length === 0
    case 'CONNACK':
      // The refusal of a server that knows 3.1.1 only.
      return original.length === 4
    default:
      return false
  }
}

function sorted(bytes: Uint8Array): string {
  return hex(bytes.toSorted())
}

function repeats(read: Packet): boolean {
  const lists = [read, 'will' in read ? read.will : undefined].flatMap((holder) =>
    holder !== undefined && 'properties' in holder ? Object.values(holder.properties ?? {}) : [],
  )
  return lists.some((value) => Array.isArray(value) && value.length > 1)
}
