import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../codec/encode.ts'
import { PACKET_TYPES, type Packet, type PacketType, type ProtocolVersion } from '../codec/packets.ts'
import { Parser } from '../codec/parser.ts'
import { propertiesLength } from '../codec/properties.ts'
import { PROPERTIES, type PropertyPlace, type PropertyRow } from '../codec/property-table.ts'
import { isReasonCodeOf, REASON_CODES } from '../codec/reason-codes.ts'
import * as small from './index.ts'
import { ROWS, stands } from './property-rows.ts'
import * as smallCodes from './reason-codes.ts'

const FROM_SERVER = [
  'CONNACK',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBACK',
  'UNSUBACK',
  'DISCONNECT',
  'AUTH',
]
const PLACES = [...new Set(PROPERTIES.flatMap((row: PropertyRow) => row.in))]
const version = fc.constantFrom<ProtocolVersion[]>(3, 4, 5)

/** What a parser makes of bytes in slices: packets, and the kind of error that ended them. */
function read(parser: { push(chunk: Uint8Array): void; next(): Packet | undefined }, slices: Uint8Array[]) {
  const packets: Packet[] = []
  try {
    for (const slice of slices) {
      parser.push(slice)
      for (let next = parser.next(); next !== undefined; next = parser.next()) packets.push(next)
    }
    return { packets }
  } catch (error) {
    const { code, reasonCode } = error as { code?: string; reasonCode?: number }
    if (code === undefined) throw error
    return { packets, code, reasonCode }
  }
}

function slicesOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.slice(at[i], end))
}

const text = fc.string({ maxLength: 6 })
const topic = fc.stringMatching(/^[a-c/]{1,6}$/)
const packetId = fc.integer({ min: 1, max: 65535 })
const bytes = fc.uint8Array({ maxLength: 300 })

function valuesOf(row: PropertyRow): fc.Arbitrary<unknown> {
  const least = row.nonZero === undefined ? 0 : 1
  switch (row.type) {
    case 'byte':
      return fc.integer({ min: 0, max: 1 })
    case 'uint16':
      return fc.integer({ min: least, max: 65535 })
    case 'uint32':
      return fc.integer({ min: least, max: 4294967295 })
    case 'varint':
      return fc.array(fc.integer({ min: 1, max: 268435455 }), { minLength: 1, maxLength: 1 })
    case 'string':
      return row.name === 'responseTopic' ? topic : text
    case 'binary':
      return bytes
    case 'pair':
      return fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 })
  }
}

function bagOf(place: PropertyPlace): fc.Arbitrary<object> {
  const rows = PROPERTIES.filter((row: PropertyRow) => row.in.includes(place))
  const entries = Object.fromEntries(rows.map((row) => [row.name, valuesOf(row)]))
  return fc.record(entries, { requiredKeys: place === 'AUTH' ? ['authenticationMethod'] : [] })
}

function codeOf(type: PacketType): fc.Arbitrary<number> {
  return fc.constantFrom(
    ...REASON_CODES.filter(({ code }) => isReasonCodeOf(type, code)).map(({ code }) => code),
  )
}

const publish = fc
  .record({
    topic,
    payload: bytes,
    qos: fc.nat({ max: 2 }),
    retain: fc.boolean(),
    dup: fc.boolean(),
    id: packetId,
  })
  .chain(({ id, ...rest }) =>
    bagOf('PUBLISH').map((properties) => ({
      type: 'PUBLISH',
      ...rest,
      dup: rest.dup && rest.qos > 0,
      packetId: rest.qos === 0 ? 0 : id,
      properties,
    })),
  )

const will = fc.record({
  topic,
  payload: bytes,
  qos: fc.nat({ max: 2 }),
  retain: fc.boolean(),
  properties: bagOf('WILL'),
})
const filter = fc.record({
  topicFilter: fc.stringMatching(/^([a-c]\/){0,3}(#|\+|a)$/),
  qos: fc.nat({ max: 2 }),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.nat({ max: 2 }),
})

function acknowledging(type: PacketType): fc.Arbitrary<object> {
  return fc.record({ type: fc.constant(type), packetId, reasonCode: codeOf(type), properties: bagOf(type) })
}

const fromClient = fc.oneof(
  publish,
  fc
    .record({
      clientId: text,
      cleanStart: fc.boolean(),
      bridge: fc.boolean(),
      keepAlive: fc.integer({ min: 0, max: 65535 }),
      username: text,
      password: fc.option(bytes, { nil: undefined }),
      will: fc.option(will, { nil: undefined }),
      properties: bagOf('CONNECT').map((bag) => ({ authenticationMethod: 'x', ...bag })),
    })
    .map((packet) => ({ type: 'CONNECT', ...packet })),
  ...(['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'] as const).map(acknowledging),
  ...(['DISCONNECT', 'AUTH'] as const).map(acknowledging),
  fc.record({
    type: fc.constant('SUBSCRIBE'),
    packetId,
    subscriptions: fc.array(filter, { minLength: 1, maxLength: 3 }),
    properties: bagOf('SUBSCRIBE'),
  }),
  fc.record({
    type: fc.constant('UNSUBSCRIBE'),
    packetId,
    topicFilters: fc.array(topic, { minLength: 1, maxLength: 3 }),
    properties: bagOf('UNSUBSCRIBE'),
  }),
  fc.constant({ type: 'PINGREQ' }),
) as fc.Arbitrary<Packet>

const fromServer = fc.oneof(
  publish,
  fc.record({
    type: fc.constant('CONNACK'),
    sessionPresent: fc.constant(false),
    reasonCode: codeOf('CONNACK'),
    properties: bagOf('CONNACK'),
  }),
  ...(['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'DISCONNECT', 'AUTH'] as const).map(acknowledging),
  ...(['SUBACK', 'UNSUBACK'] as const).map((type) =>
    fc.record({
      type: fc.constant(type),
      packetId,
      reasonCodes: fc.array(codeOf(type), { minLength: 1, maxLength: 4 }),
      properties: bagOf(type),
    }),
  ),
  fc.constant({ type: 'PINGRESP' }),
) as fc.Arbitrary<Packet>

/** Bytes that mean something here and there. */
const odd = fc.oneof(
  fc.nat({ max: 3 }),
  fc.constantFrom(0x1f, 0x26, 0x23, 0x0b, 0x08, 0x80, 0x87, 0x2b),
  fc.nat({ max: 255 }),
)

describe("A page's codec does as the fast one", () => {
  it('the packed table says the same of every property', () => {
    expect(ROWS.map(({ id, name }) => [id, name])).toEqual(PROPERTIES.map(({ id, name }) => [id, name]))
    const kinds = { byte: '1', uint16: '2', uint32: '4', varint: 'v', string: 's', binary: 'b', pair: 'p' }
    for (const row of PROPERTIES as readonly PropertyRow[]) {
      const packed = ROWS.find(({ id }) => id === row.id)!
      expect([row.name, packed.kind, packed.nonZero]).toEqual([
        row.name,
        kinds[row.type],
        row.nonZero !== undefined,
      ])
      for (const place of PLACES) {
        expect([row.name, place, stands(packed, place)]).toEqual([row.name, place, row.in.includes(place)])
      }
    }
  })

  it('the packed table says the same of every reason code', () => {
    for (const type of FROM_SERVER as PacketType[]) {
      for (let code = 0; code < 256; code++) {
        expect([type, code, smallCodes.isReasonCodeOf(type, code)]).toEqual([
          type,
          code,
          isReasonCodeOf(type, code),
        ])
      }
    }
  })

  it('encode() writes the same bytes for what a client sends', () => {
    fc.assert(
      fc.property(fromClient, version, (packet, protocolVersion) => {
        if (packet.type === 'AUTH' && protocolVersion < 5) return
        const full = packet.type === 'CONNECT' ? { ...packet, protocolVersion } : packet
        expect(small.encode(full, protocolVersion)).toEqual(encode(full, protocolVersion))
        const room = new Uint8Array(small.encodedLength(full, protocolVersion) + 3)
        expect(small.encodeInto(full, protocolVersion, room, 3)).toBe(room.length)
      }),
      { numRuns: 2000 },
    )
  })

  it('Parser reads the same from what a server sends, in any slicing', () => {
    fc.assert(
      fc.property(
        fc.array(fromServer, { minLength: 1, maxLength: 4 }),
        fc.constantFrom<ProtocolVersion[]>(4, 5),
        fc.array(fc.nat()),
        (packets, protocolVersion, cuts) => {
          const written = packets.flatMap((packet) => {
            try {
              return [encode(packet, protocolVersion)]
            } catch {
              return []
            }
          })
          const slices = slicesOf(Uint8Array.from(written.flatMap((each) => [...each])), cuts)
          const options = { protocolVersion }
          const wanted = read(new Parser(options), slices)
          const is = read(new small.Parser(options), slices)
          expect(wanted.packets.length).toBe(written.length)
          expect(is).toEqual({ ...wanted, packets: wanted.packets.map(withPacketId) })
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('Parser refuses the same bytes with the same code', () => {
    const first = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(0x20, 0x30, 0x32, 0x34, 0x3c, 0x40, 0x50, 0x62, 0x70, 0x90) },
      { weight: 2, arbitrary: fc.constantFrom(0xb0, 0xd0, 0xe0, 0xf0, 0x6a) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
    )
    const body = fc.array(odd, { maxLength: 14 })
    fc.assert(
      fc.property(
        first,
        body,
        version,
        fc.boolean(),
        fc.array(fc.nat(), { maxLength: 3 }),
        (type, rest, protocolVersion, exact, cuts) => {
          // What only clients send is refused, by its type alone.
          if ([1, 8, 10, 12].includes(type >> 4)) return
          const data = Uint8Array.from(exact ? [type, rest.length, ...rest] : [type, ...rest])
          if (
            !exact &&
            data.length > 1 &&
            [1, 8, 10, 12].some((one) => [...data].some((byte) => byte >> 4 === one))
          )
            return
          const options = { protocolVersion, maximumPacketSize: 100 }
          const wanted = read(new Parser(options), slicesOf(data, cuts))
          const is = read(new small.Parser(options), slicesOf(data, cuts))
          expect(is).toEqual({ ...wanted, packets: wanted.packets.map(withPacketId) })
        },
      ),
      { numRuns: 20_000 },
    )
  })

  it('Parser says the same of a packet with one byte changed', () => {
    fc.assert(
      fc.property(fromServer, version, fc.nat(), odd, (packet, protocolVersion, position, byte) => {
        let data: Uint8Array
        try {
          data = encode(packet, protocolVersion)
        } catch {
          return
        }
        // Behind the fixed header: what a packet is and where it ends stays.
        if (data.length < 3 || data.length > 129) return
        data[2 + (position % (data.length - 2))] = byte
        const wanted = read(new Parser({ protocolVersion }), [data])
        const is = read(new small.Parser({ protocolVersion }), [data])
        expect(is).toEqual({ ...wanted, packets: wanted.packets.map(withPacketId) })
      }),
      { numRuns: 10_000 },
    )
  })

  it('Parser says why a Topic Alias of 0 and a Packet too large are refused', () => {
    const alias = new small.Parser()
    alias.push(Uint8Array.of(0x30, 7, 0, 1, 0x61, 3, 0x23, 0, 0))
    expect(() => alias.next()).toThrow(expect.objectContaining({ reasonCode: 0x94 }))
    const large = new small.Parser({ maximumPacketSize: 9 })
    large.push(Uint8Array.of(0x30, 8))
    expect(() => large.next()).toThrow(expect.objectContaining({ reasonCode: 0x95 }))
  })

  it('Parser refuses what only clients send', () => {
    for (const type of ['CONNECT', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PINGREQ'] as const) {
      const flags = type === 'SUBSCRIBE' || type === 'UNSUBSCRIBE' ? 2 : 0
      const parser = new small.Parser()
      parser.push(Uint8Array.of((PACKET_TYPES.indexOf(type) << 4) | flags, 2, 0, 1))
      expect(() => parser.next()).toThrow(expect.objectContaining({ code: expect.any(String) }))
    }
  })

  it('propertiesLength refuses the same properties', () => {
    const name = fc.constantFrom(...PROPERTIES.map((row) => row.name as string), 'unknown')
    const value = fc.oneof(
      fc.constantFrom<unknown[]>(
        0,
        1,
        -1,
        1.5,
        65536,
        2 ** 32,
        'a',
        'a\0',
        [],
        [1],
        [1, 2],
        [0],
        ['a', 'b'],
        [['a', 'b']],
        undefined,
      ),
      fc.constant(new Uint8Array(3)),
    )
    fc.assert(
      fc.property(name, value, fc.constantFrom(...PLACES), (key, each, place) => {
        if (key === 'responseTopic' && each === '') return
        const outcome = (length: typeof propertiesLength) => {
          try {
            return length({ [key]: each }, place)
          } catch (error) {
            return (error as Error).name
          }
        }
        expect([key, each, place, outcome(small.propertiesLength)]).toEqual([
          key,
          each,
          place,
          outcome(propertiesLength),
        ])
      }),
      { numRuns: 5000 },
    )
  })
})

/** DISCONNECT and AUTH of the small one have a Packet Identifier of 0, which nobody reads. */
function withPacketId(packet: Packet): Packet {
  const more: object = packet.type === 'DISCONNECT' || packet.type === 'AUTH' ? { packetId: 0 } : {}
  return { ...packet, ...more }
}
