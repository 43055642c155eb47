import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

/** How a field is written: its wire type and what reads it. */
const SCALARS = {
  uint32: [WireType.Varint, (reader: BinaryReader) => reader.uint32()],
  int32: [WireType.Varint, (reader: BinaryReader) => reader.int32()],
  bool: [WireType.Varint, (reader: BinaryReader) => reader.bool()],
  fixed32: [WireType.Bit32, (reader: BinaryReader) => reader.fixed32()],
  sfixed32: [WireType.Bit32, (reader: BinaryReader) => reader.sfixed32()],
  float: [WireType.Bit32, (reader: BinaryReader) => reader.float()],
  string: [WireType.LengthDelimited, (reader: BinaryReader) => reader.string()],
  bytes: [WireType.LengthDelimited, (reader: BinaryReader) => reader.bytes()],
} as const

type Scalar = keyof typeof SCALARS
type ScalarValue<T extends Scalar> = ReturnType<(typeof SCALARS)[T][1]>

/** One field of a message: number and type; a list where it repeats. */
type Field = readonly [number, Scalar | Schema<object>] | readonly [number, Schema<object>, 'repeated']
type Fields = Readonly<Record<string, Field>>
type FieldValue<F extends Field> = F extends readonly [number, Schema<infer M>, 'repeated']
  ? readonly M[]
  : F extends readonly [number, Schema<infer M>]
    ? M | undefined
    : F extends readonly [number, infer S extends Scalar]
      ? ScalarValue<S> | undefined
      : never

/** What a message of these fields decodes to: a field that was not sent is undefined. */
type Decoded<F extends Fields> = { -readonly [Name in keyof F]: FieldValue<F[Name]> }
/** What a schema decodes to. */
export type MessageOf<S> = S extends Schema<infer M> ? M : never

interface Reader {
  readonly name: string
  readonly wireType: WireType
  readonly read: (reader: BinaryReader) => unknown
  readonly isRepeated: boolean
}

/** A message definition: a small table of field numbers, read with protobuf-es's wire reader.
 *  Stricter than the format asks for, because an AES-CTR plain text has no other check: a known field with
 *  another wire type, and a group, are faults. Unknown fields are skipped. */
export class Schema<M extends object> {
  private readonly readers: (Reader | undefined)[] = []
  private readonly empty: Readonly<Record<string, unknown>>

  constructor(fields: Fields) {
    const empty: Record<string, unknown> = {}
    for (const [name, [number, type, repeated]] of Object.entries(fields)) {
      const isRepeated = repeated === 'repeated'
      empty[name] = undefined
      this.readers[number] = { name, isRepeated, ...readerOf(type) }
    }
    this.empty = empty
    this.lists = Object.entries(fields)
      .filter(([, field]) => field[2] === 'repeated')
      .map(([name]) => name)
  }

  private readonly lists: readonly string[]

  /** @throws Error for bytes that are no such message */
  decode(bytes: Uint8Array): M {
    return this.read(new BinaryReader(bytes, decodeStrictly), bytes.length)
  }

  /** Reads from where the reader is up to `end`. */
  read(reader: BinaryReader, end: number): M {
    const message: Record<string, unknown> = { ...this.empty }
    for (const name of this.lists) message[name] = []
    while (reader.pos < end) {
      const [number, wireType] = reader.tag()
      const field = this.readers[number]
      if (field === undefined) {
        if (wireType === WireType.StartGroup || wireType === WireType.EndGroup) {
          throw new Error(`field ${number} is a group`)
        }
        reader.skip(wireType, number)
        continue
      }
      if (wireType !== field.wireType) throw new Error(`${field.name} has wire type ${wireType}`)
      const value = field.read(reader)
      if (field.isRepeated) (message[field.name] as unknown[]).push(value)
      else message[field.name] = value
    }
    if (reader.pos !== end) throw new Error('the message ends in the middle of a field')
    return message as M
  }
}

/** Defines a message. */
export function message<const F extends Fields>(fields: F): Schema<Decoded<F>> {
  return new Schema<Decoded<F>>(fields)
}

function readerOf(type: Scalar | Schema<object>): Pick<Reader, 'wireType' | 'read'> {
  if (typeof type !== 'string') {
    // In place: no reader and no view for each message within one (bench/collectors).
    const read = (reader: BinaryReader): object => {
      const length = reader.uint32()
      return type.read(reader, reader.pos + length)
    }
    return { wireType: WireType.LengthDelimited, read }
  }
  const [wireType, read] = SCALARS[type]
  return { wireType, read }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function decodeStrictly(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
