import { NO_PROPERTIES } from '../codec/no-properties.ts'
import { PACKET_TYPES, type Packet, type ProtocolVersion, type QoS } from '../codec/packets.ts'
import type { ParserOptions } from '../codec/parser.ts'
import type { PropertyPlace, PublishProperties } from '../codec/property-table.ts'
import { reasonCodeForReturnCode } from '../codec/return-codes.ts'
import { MalformedPacketError, ProtocolError } from '../errors.ts'
import { hasWildcard } from './names.ts'
import { ROWS, stands } from './property-rows.ts'
import { isReasonCodeOf } from './reason-codes.ts'
import { decodeUtf8 } from './utf8.ts'

/** Turns bytes into the packets that servers send; refuses the same as codec/parser.ts, in fewer words.
 *  @see codec/parser.ts */
export class Parser {
  readonly protocolVersion: ProtocolVersion
  private readonly maximumPacketSize: number
  private readonly strict: boolean
  private held: Uint8Array[] = []
  private size = 0
  /** Bytes without which there is nothing to do. */
  private wanted = 1

  constructor({ protocolVersion = 5, maximumPacketSize = 268435460, strict = true }: ParserOptions = {}) {
    this.protocolVersion = protocolVersion
    this.maximumPacketSize = maximumPacketSize
    this.strict = strict
  }

  push(chunk: Uint8Array): void {
    this.held.push(chunk)
    this.size += chunk.length
  }

  next(): Packet | undefined {
    if (this.size < this.wanted) return undefined
    const bytes = this.join()
    const first = bytes[0]!
    if (first < 16) throw new ProtocolError('packet type 0')
    const reader = new Reader(bytes, 1, this.strict)
    // The Remaining Length may end behind what there is.
    let at = 1
    while (at < 5 && at < bytes.length && bytes[at]! > 127) at++
    if (at === bytes.length && at < 5) return this.wait(at + 1)
    const end = reader.variableByteInteger() + reader.offset
    if (end > this.maximumPacketSize) throw new ProtocolError(`a packet of ${end} bytes`, 0x95)
    if (end > bytes.length) return this.wait(end)
    reader.end = end
    this.wanted = 1
    this.size -= end
    this.held = this.size > 0 ? [bytes.subarray(end)] : []
    return decode(reader, first, this.protocolVersion)
  }

  private wait(size: number): undefined {
    this.wanted = size
  }

  private join(): Uint8Array {
    const { held } = this
    if (held.length === 1) return held[0]!
    const bytes = new Uint8Array(this.size)
    let at = 0
    for (const chunk of held) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    this.held = [bytes]
    return bytes
  }
}

class Reader {
  readonly bytes: Uint8Array
  offset: number
  end: number
  private readonly strict: boolean

  constructor(bytes: Uint8Array, offset: number, strict: boolean) {
    this.bytes = bytes
    this.offset = offset
    this.end = bytes.length
    this.strict = strict
  }

  get remaining(): number {
    return this.end - this.offset
  }

  take(size: number): Uint8Array {
    const start = this.offset
    if (size > this.remaining) throw new MalformedPacketError('the packet is too short')
    this.offset += size
    return this.bytes.subarray(start, this.offset)
  }

  integer(size: number): number {
    return this.take(size).reduce((value, byte) => value * 256 + byte, 0)
  }

  variableByteInteger(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 28; scale *= 128) {
      const byte = this.integer(1)
      value += (byte & 127) * scale
      if (byte < 128) {
        if (byte === 0 && scale > 1) break
        return value
      }
    }
    throw new MalformedPacketError('the packet is too long')
  }

  binary(): Uint8Array {
    return this.take(this.integer(2))
  }

  string(): string {
    const bytes = this.binary()
    return decodeUtf8(bytes, 0, bytes.length, 'a string', this.strict)
  }

  packetId(): number {
    const packetId = this.integer(2)
    if (packetId === 0) throw new ProtocolError('Packet Identifier 0')
    return packetId
  }

  value(kind: string): unknown {
    if (kind === 's') return this.string()
    if (kind === 'b') return this.binary()
    if (kind === 'p') return [this.string(), this.string()]
    return kind === 'v' ? this.variableByteInteger() : this.integer(Number(kind))
  }

  properties(place: PropertyPlace): object {
    const length = this.variableByteInteger()
    if (length === 0) return NO_PROPERTIES
    const { end } = this
    if (length > this.remaining) throw new MalformedPacketError(`${place}: Property Length ${length}`)
    this.end = this.offset + length
    const bag: Record<string, unknown> = {}
    while (this.remaining > 0) this.property(place, bag)
    this.end = end
    return bag
  }

  private property(place: PropertyPlace, bag: Record<string, unknown>): void {
    const id = this.variableByteInteger()
    const row = ROWS.find((each) => each.id === id)
    if (row === undefined) throw new MalformedPacketError(`${place}: property ${id}`)
    const { name, kind } = row
    const value = this.value(kind)
    const many = /[pv]/.test(kind)
    const known = bag[name]
    const fits =
      stands(row, place) && !(row.nonZero && value === 0) && !(kind === '1' && (value as number) > 1)
    // A Topic Alias of 0 has a reason code of its own.
    if (!fits || !(many || known === undefined)) {
      throw new ProtocolError(
        `${place}: ${name}`,
        id === 35 && value === 0 && stands(row, place) ? 0x94 : 0x82,
      )
    }
    if (!many) bag[name] = value
    else if (known === undefined) bag[name] = [value]
    else (known as unknown[]).push(value)
  }
}

function decode(reader: Reader, first: number, version: ProtocolVersion): Packet {
  const kind = first >> 4
  if (kind === 3) return decodePublish(reader, first, version)
  const type = PACKET_TYPES[kind] as 'CONNACK'
  const flags = first & 15
  // PUBREL, SUBSCRIBE and UNSUBSCRIBE.
  const wanted = (0x540 >> kind) & 1 ? 2 : 0
  if (
    (flags !== wanted && !(version === 3 && wanted === 2 && flags === 10)) ||
    (kind === 15 && version < 5)
  ) {
    throw new MalformedPacketError(`${type}: flags ${flags}`)
  }
  const packet = decodeOther(reader, kind, type, version)
  if (reader.remaining > 0) throw new MalformedPacketError(`${type} is too long`)
  return packet as unknown as Packet
}

/** What packets other than PUBLISH are made of, in the order in which it comes. */
function decodeOther(reader: Reader, kind: number, type: 'CONNACK', version: ProtocolVersion): object {
  if (kind === 13) return { type }
  if (kind === 2) return decodeConnack(reader, version)
  const packetId = kind < 12 ? reader.packetId() : 0
  if (kind === 9 || kind === 11) {
    const properties = version < 5 ? NO_PROPERTIES : reader.properties(type)
    const reasonCodes: number[] = []
    if (version === 5 || kind === 9)
      while (reader.remaining > 0) reasonCodes.push(readReasonCode(reader, type, version))
    if (kind === 9 && reasonCodes.length === 0) throw new ProtocolError('SUBACK: reason code')
    return { type, packetId, reasonCodes, properties }
  }
  // Those that only clients send.
  if (![4, 5, 6, 7, 14, 15].includes(kind)) throw new ProtocolError(`${type} from the server`)
  let reasonCode = 0
  let properties: { authenticationMethod?: string } = NO_PROPERTIES
  if (version === 5 && reader.remaining > 0) {
    reasonCode = readReasonCode(reader, type, version)
    if (reader.remaining > 0 || kind === 15) properties = reader.properties(type)
    if (kind === 15 && properties.authenticationMethod === undefined)
      throw new ProtocolError('AUTH: no method')
  }
  return { type, packetId, reasonCode, properties }
}

function readReasonCode(reader: Reader, type: 'CONNACK', version: ProtocolVersion): number {
  return checkReasonCode(reader.integer(1), type, version)
}

function checkReasonCode(code: number, type: 'CONNACK', version: ProtocolVersion): number {
  if (!isReasonCodeOf(type, code) || (version < 5 && code > 2 && code !== 0x80)) {
    throw new ProtocolError(`${type}: reason code ${code}`)
  }
  return code
}

function decodeConnack(reader: Reader, version: ProtocolVersion): object {
  const type = 'CONNACK'
  const flags = reader.integer(1)
  if (flags > 1) throw new MalformedPacketError(`CONNACK: flags ${flags}`)
  let reasonCode = reader.integer(1)
  let properties: object = NO_PROPERTIES
  if (version < 5) {
    if (reasonCode > 5) throw new ProtocolError(`CONNACK: reason code ${reasonCode}`)
  } else if (reader.remaining === 0 && reasonCode > 0 && reasonCode < 6) {
    // A server that knows no 5.0 refuses in the form of 3.1.1.
    reasonCode = reasonCodeForReturnCode(reasonCode)
  } else {
    checkReasonCode(reasonCode, type, version)
    properties = reader.properties(type)
  }
  if (flags === 1 && reasonCode !== 0) throw new ProtocolError('CONNACK: sessionPresent; it refuses')
  return { type, sessionPresent: flags === 1, reasonCode, properties }
}

function decodePublish(reader: Reader, first: number, version: ProtocolVersion): Packet {
  const qos = (first >> 1) & 3
  const dup = (first & 8) > 0
  if (qos === 3 || (dup && qos === 0)) throw new MalformedPacketError('PUBLISH: flags')
  const topic = reader.string()
  if (hasWildcard(topic)) throw new MalformedPacketError('PUBLISH: a wildcard')
  const packetId = qos === 0 ? 0 : reader.packetId()
  let properties: PublishProperties = NO_PROPERTIES
  if (version === 5) {
    properties = reader.properties('PUBLISH')
    const { responseTopic } = properties
    if (responseTopic === '' || (responseTopic !== undefined && hasWildcard(responseTopic))) {
      throw new ProtocolError('PUBLISH: responseTopic')
    }
    if (topic === '' && properties.topicAlias === undefined) throw new ProtocolError('PUBLISH: no topic')
  } else if (topic === '') throw new MalformedPacketError('PUBLISH: no topic')
  const payload = reader.take(reader.remaining)
  return {
    type: 'PUBLISH',
    topic,
    payload,
    qos: qos as QoS,
    retain: (first & 1) > 0,
    dup,
    packetId,
    properties,
  }
}
