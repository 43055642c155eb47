import { describe, expect, it } from 'vitest'
import { encode, MalformedPacketError, type Packet, PROPERTIES, ProtocolError } from '../src/index.ts'
import { bytesOf, hex, parseAll, thrownBy } from './bytes.ts'

/** Where each property may stand, written from table 2-4 of MQTT 5.0, apart from the codec's own table. */
const SPECIFIED: readonly (readonly [id: string, value: string, places: string, repeats?: string])[] = [
  ['01', '00', 'PUBLISH WILL'],
  ['02', '00000001', 'PUBLISH WILL'],
  ['03', "0001 'p'", 'PUBLISH WILL'],
  ['08', "0001 'p'", 'PUBLISH WILL'],
  ['09', "0001 'p'", 'PUBLISH WILL'],
  ['0b', '01', 'PUBLISH SUBSCRIBE', 'PUBLISH'],
  ['11', '00000001', 'CONNECT CONNACK DISCONNECT'],
  ['12', "0001 'p'", 'CONNACK'],
  ['13', '0001', 'CONNACK'],
  ['15', "0001 'p'", 'CONNECT CONNACK AUTH'],
  ['16', "0001 'p'", 'CONNECT CONNACK AUTH'],
  ['17', '00', 'CONNECT'],
  ['18', '00000001', 'WILL'],
  ['19', '00', 'CONNECT'],
  ['1a', "0001 'p'", 'CONNACK'],
  ['1c', "0001 'p'", 'CONNACK DISCONNECT'],
  ['1f', "0001 'p'", 'CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH'],
  ['21', '0001', 'CONNECT CONNACK'],
  ['22', '0000', 'CONNECT CONNACK'],
  ['23', '0001', 'PUBLISH'],
  ['24', '00', 'CONNACK'],
  ['25', '00', 'CONNACK'],
  [
    '26',
    "0001 'p' 0001 'q'",
    'CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH',
    'CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH',
  ],
  ['27', '00000001', 'CONNECT CONNACK'],
  ['28', '00', 'CONNACK'],
  ['29', '00', 'CONNACK'],
  ['2a', '00', 'CONNACK'],
]

/** A packet with room for properties. The method that CONNECT and AUTH need beside the data stands in them already. */
const PLACES: Readonly<Record<string, (properties: string) => string>> = {
  CONNECT: (p) => `10 [0004 'MQTT' 05 02 000a [${method(p)} ${p}] 0001 'c']`,
  WILL: (p) => `10 [0004 'MQTT' 05 06 000a 00 0001 'c' [${p}] 0001 'w' 0000]`,
  CONNACK: (p) => `20 [00 00 [${p}]]`,
  PUBLISH: (p) => `32 [0001 'a' 0001 [${p}] 'payload']`,
  PUBACK: (p) => `40 [0001 00 [${p}]]`,
  PUBREC: (p) => `50 [0001 00 [${p}]]`,
  PUBREL: (p) => `62 [0001 00 [${p}]]`,
  PUBCOMP: (p) => `70 [0001 00 [${p}]]`,
  SUBSCRIBE: (p) => `82 [0001 [${p}] 0001 'a' 00]`,
  SUBACK: (p) => `90 [0001 [${p}] 00]`,
  UNSUBSCRIBE: (p) => `a2 [0001 [${p}] 0001 'a']`,
  UNSUBACK: (p) => `b0 [0001 [${p}] 00]`,
  DISCONNECT: (p) => `e0 [00 [${p}]]`,
  AUTH: (p) => `f0 [18 [${p.startsWith('15') ? '' : "15 0001 'm'"} ${p}]]`,
}

function method(properties: string): string {
  return properties.startsWith('16') ? "15 0001 'm'" : ''
}

const pairs = SPECIFIED.flatMap(([id, value, places, repeats]) =>
  Object.keys(PLACES).map((place) => ({
    id,
    value,
    place,
    allowed: places.split(' ').includes(place),
    repeats: repeats?.split(' ').includes(place) ?? false,
  })),
)

function read(place: string, properties: string): Packet | undefined {
  return parseAll(bytesOf(PLACES[place]?.(properties) ?? ''), 5)[0]
}

describe('a property where it may stand', () => {
  it.each(pairs.filter((pair) => pair.allowed))('0x$id in $place', ({ id, value, place }) => {
    const bytes = bytesOf(PLACES[place]?.(`${id} ${value}`) ?? '')
    const [packet] = parseAll(bytes, 5)
    expect(packet).toBeDefined()
    expect(hex(encode(packet as Packet, 5))).toBe(hex(bytes))
  })

  it.each(pairs.filter((pair) => pair.allowed && !pair.repeats))(
    '0x$id not twice in $place',
    ({ id, value, place }) => {
      const error = thrownBy(() => read(place, `${id} ${value} ${id} ${value}`))
      expect(error).toBeInstanceOf(ProtocolError)
      expect(error).toMatchObject({ reasonCode: 0x82 })
    },
  )

  it.each(pairs.filter((pair) => pair.repeats))('0x$id twice in $place', ({ id, value, place }) => {
    expect(read(place, `${id} ${value} ${id} ${value}`)).toBeDefined()
  })
})

describe('a property where it may not stand', () => {
  it.each(pairs.filter((pair) => !pair.allowed))('0x$id in $place', ({ id, value, place }) => {
    const request = place === 'SUBSCRIBE' || place === 'UNSUBSCRIBE'
    const error = thrownBy(() => read(place, `${id} ${value}`))
    expect(error).toBeInstanceOf(request ? MalformedPacketError : ProtocolError)
    expect(error).toMatchObject({ reasonCode: request ? 0x81 : 0x82 })
  })
})

describe('a property cut short', () => {
  it.each(pairs)('0x$id without its value in $place', ({ id, place }) => {
    const error = thrownBy(() => read(place, id))
    expect(error).toBeInstanceOf(MalformedPacketError)
    expect(error).toMatchObject({ reasonCode: 0x81 })
  })

  it.each(SPECIFIED.map(([id, value]) => ({ id, value, size: bytesOf(value).length })))(
    '0x$id at every byte of its value',
    ({ id, value, size }) => {
      const place = SPECIFIED.find(([known]) => known === id)?.[2].split(' ')[0] ?? ''
      for (let kept = 0; kept < size; kept++) {
        const part = hex(bytesOf(value).subarray(0, kept))
        expect(() => read(place, `${id} ${part}`)).toThrow(MalformedPacketError)
      }
    },
  )
})

const KNOWN = new Set(SPECIFIED.map(([id]) => Number.parseInt(id, 16)))
const unknown = Array.from({ length: 0x80 }, (_, id) => id).filter((id) => !KNOWN.has(id))

describe('an unknown property identifier', () => {
  it.each([
    ...unknown.map((id) => id.toString(16).padStart(2, '0')),
    '8000',
    '8001',
    'ff7f',
    '808001',
    'ffff7f',
    '80808001',
    'ffffff7f',
    '8080808001',
  ])('0x%s', (id) => {
    for (const place of Object.keys(PLACES)) {
      const error = thrownBy(() => read(place, `${id} 01`))
      expect(error).toBeInstanceOf(MalformedPacketError)
      expect(error).toMatchObject({ reasonCode: 0x81 })
    }
  })
})

describe('a value that a property does not take', () => {
  it.each([
    ['CONNECT', '17 02', 0x82],
    ['CONNECT', '19 02', 0x82],
    ['CONNECT', '21 0000', 0x82],
    ['CONNECT', '27 00000000', 0x82],
    ['CONNACK', '21 0000', 0x82],
    ['CONNACK', '24 02', 0x82],
    ['CONNACK', '25 02', 0x82],
    ['CONNACK', '27 00000000', 0x82],
    ['CONNACK', '28 ff', 0x82],
    ['CONNACK', '29 02', 0x82],
    ['CONNACK', '2a 02', 0x82],
    ['WILL', '01 02', 0x82],
    ['WILL', '08 0000', 0x82],
    ['PUBLISH', '01 ff', 0x82],
    ['PUBLISH', '23 0000', 0x94],
    ['PUBLISH', '0b 00', 0x82],
    ['SUBSCRIBE', '0b 00', 0x82],
  ])('%s: %s', (place, properties, reasonCode) => {
    const error = thrownBy(() => read(place, properties))
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error).toMatchObject({ reasonCode })
  })
})

describe('PROPERTIES', () => {
  it('holds every property of the specification once', () => {
    expect(PROPERTIES.map((row) => row.id.toString(16).padStart(2, '0'))).toEqual(SPECIFIED.map(([id]) => id))
    expect(new Set(PROPERTIES.map((row) => row.name)).size).toBe(PROPERTIES.length)
  })
})
