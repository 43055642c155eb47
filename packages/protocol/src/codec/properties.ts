import { MalformedPacketError, ProtocolError } from '../errors.ts'
import { NO_PROPERTIES } from './no-properties.ts'
import { PROPERTIES, type PropertyPlace, type PropertyRow, type UserProperty } from './property-table.ts'
import { type Reader, variableByteIntegerLength } from './reader.ts'
import { utf8Length } from './utf8.ts'
import type { Writer } from './writer.ts'

type Value = number | string | Uint8Array | UserProperty
type Bag = { [name: string]: Value | Value[] | undefined }

/** A row with its places as bits: a test per property instead of a search (bench/codec, +properties). */
interface Property extends PropertyRow {
  readonly places: number
  /** Places where it may stand more than once. */
  readonly repeats: number
}

const PLACES: readonly PropertyPlace[] = [
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'DISCONNECT',
  'AUTH',
  'WILL',
]
const BIT = Object.fromEntries(PLACES.map((place, i) => [place, 1 << i])) as Record<PropertyPlace, number>

function bitsOf(places: readonly PropertyPlace[]): number {
  return places.reduce((bits, place) => bits | BIT[place], 0)
}

const rows: readonly Property[] = PROPERTIES.map((row: PropertyRow) => ({
  ...row,
  places: bitsOf(row.in),
  repeats: row.many === undefined ? 0 : bitsOf(row.many === true ? row.in : row.many),
}))
const byId: (Property | undefined)[] = new Array(0x2b).fill(undefined)
for (const row of rows) byId[row.id] = row
const byName: ReadonlyMap<string, Property> = new Map(rows.map((row) => [row.name, row]))

/** Reads the property length and the properties that follow.
 *  @throws MalformedPacketError on an unknown identifier or a value that does not fit
 *  @throws ProtocolError on a property that may not stand here, or stands twice, or has a forbidden value */
export function readProperties(reader: Reader, place: PropertyPlace): object {
  const length = reader.variableByteInteger('Property Length')
  if (length === 0) return NO_PROPERTIES
  const end = reader.offset + length
  if (end > reader.end) {
    throw new MalformedPacketError(`${place}: Property Length ${length} is more than the packet holds`)
  }
  const packetEnd = reader.end
  reader.end = end
  const bag: Bag = {}
  while (reader.offset < end) readProperty(reader, place, bag)
  reader.end = packetEnd
  return bag
}

function readProperty(reader: Reader, place: PropertyPlace, bag: Bag): void {
  const id = reader.variableByteInteger('property identifier')
  const row = byId[id]
  if (row === undefined) {
    throw new MalformedPacketError(`${place}: unknown property identifier 0x${id.toString(16)}`)
  }
  const value = readValue(reader, row)
  const bit = BIT[place]
  if ((row.places & bit) === 0) throw misplaced(row, place)
  if (row.boolean === true && (value as number) > 1) {
    throw new ProtocolError(`${place}: ${row.name} is ${value}; it takes 0 or 1`)
  }
  if (row.nonZero !== undefined && value === 0) {
    throw new ProtocolError(`${place}: ${row.name} is 0`, row.nonZero === true ? 0x82 : row.nonZero)
  }
  const known = bag[row.name]
  if (known === undefined) bag[row.name] = row.many === undefined ? value : [value]
  else if ((row.repeats & bit) !== 0) (known as Value[]).push(value)
  else throw new ProtocolError(`${place}: property ${row.name} stands twice`)
}

/** 2.2.2.2 calls it malformed, the property's own section a protocol error. Suites of other brokers expect
 *  0x81 for SUBSCRIBE and UNSUBSCRIBE and 0x82 for all others (docs/decisions/0007). */
function misplaced(row: PropertyRow, place: PropertyPlace): Error {
  const message = `${place}: property ${row.name} may not stand in this packet`
  if (place === 'SUBSCRIBE' || place === 'UNSUBSCRIBE') return new MalformedPacketError(message)
  return new ProtocolError(message)
}

function readValue(reader: Reader, row: PropertyRow): Value {
  switch (row.type) {
    case 'byte':
      return reader.byte(row.name)
    case 'uint16':
      return reader.uint16(row.name)
    case 'uint32':
      return reader.uint32(row.name)
    case 'varint':
      return reader.variableByteInteger(row.name)
    case 'string':
      return reader.string(row.name)
    case 'binary':
      return reader.binary(row.name)
    case 'pair':
      return [reader.string(row.name), reader.string(row.name)]
  }
}

/** Bytes of the properties without the length in front of them.
 *  @throws RangeError or TypeError on a value the property cannot take, or a property of another packet */
export function propertiesLength(properties: object | undefined, place: PropertyPlace): number {
  if (properties === undefined || properties === NO_PROPERTIES) return 0
  const bit = BIT[place]
  let length = 0
  for (const name in properties) {
    const value = (properties as Bag)[name]
    if (value === undefined) continue
    const row = byName.get(name)
    if (row === undefined || (row.places & bit) === 0) throw new TypeError(`${place} has no property ${name}`)
    if (row.many === undefined) length += 1 + valueLength(row, value as Value)
    else length += manyLength(row, value, place)
  }
  return length
}

function manyLength(row: Property, values: Value | Value[], place: PropertyPlace): number {
  if (!Array.isArray(values)) throw new TypeError(`${row.name} takes an array`)
  if ((row.repeats & BIT[place]) === 0 && values.length > 1) {
    throw new RangeError(`${place} takes one ${row.name}, not ${values.length}`)
  }
  let length = 0
  for (const each of values as Value[]) length += 1 + valueLength(row, each)
  return length
}

const LIMITS = { byte: 255, uint16: 65535, uint32: 4294967295, varint: 268435455 }

function valueLength(row: PropertyRow, value: Value): number {
  switch (row.type) {
    case 'string':
      return 2 + utf8Length(value as string, row.name)
    case 'binary':
      if (!(value instanceof Uint8Array)) throw new TypeError(`${row.name} takes a Uint8Array`)
      if (value.length > 65535)
        throw new RangeError(`${row.name} is ${value.length} bytes; 65535 is the most`)
      return 2 + value.length
    case 'pair': {
      if (!Array.isArray(value) || value.length !== 2)
        throw new TypeError(`${row.name} takes [name, value] pairs`)
      const [name, text] = value as UserProperty
      return 4 + utf8Length(name, row.name) + utf8Length(text, row.name)
    }
    default:
      return numberLength(row, row.type, value)
  }
}

function numberLength(row: PropertyRow, type: keyof typeof LIMITS, value: Value): number {
  const highest = row.boolean === true ? 1 : LIMITS[type]
  const lowest = row.nonZero === undefined ? 0 : 1
  if (!Number.isInteger(value) || (value as number) < lowest || (value as number) > highest) {
    throw new RangeError(`${row.name} is ${String(value)}; it takes ${lowest} to ${highest}`)
  }
  switch (type) {
    case 'byte':
      return 1
    case 'uint16':
      return 2
    case 'uint32':
      return 4
    case 'varint':
      return variableByteIntegerLength(value as number)
  }
}

/** Writes Property Length and the properties, which `propertiesLength` has checked, in the order of the
 *  object's keys: what was read goes out again in the order in which it came. */
export function writeProperties(writer: Writer, properties: object | undefined, length: number): void {
  writer.variableByteInteger(length)
  if (length === 0) return
  for (const name in properties) {
    const value = (properties as Bag)[name]
    if (value === undefined) continue
    const row = byName.get(name) as Property
    if (row.many === undefined) writeValue(writer, row, value as Value)
    else for (const each of value as Value[]) writeValue(writer, row, each)
  }
}

function writeValue(writer: Writer, row: PropertyRow, value: Value): void {
  writer.byte(row.id)
  switch (row.type) {
    case 'byte':
      return writer.byte(value as number)
    case 'uint16':
      return writer.uint16(value as number)
    case 'uint32':
      return writer.uint32(value as number)
    case 'varint':
      return writer.variableByteInteger(value as number)
    case 'string':
      return writer.string(value as string)
    case 'binary':
      return writer.binary(value as Uint8Array)
    case 'pair':
      writer.string((value as UserProperty)[0])
      return writer.string((value as UserProperty)[1])
  }
}
