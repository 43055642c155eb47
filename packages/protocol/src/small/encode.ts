import {
  PACKET_TYPES,
  type Packet,
  type PacketType,
  type ProtocolVersion,
  type Will,
} from '../codec/packets.ts'
import type { PropertyPlace } from '../codec/property-table.ts'
import { checkTopicName } from './names.ts'
import { ROWS, stands } from './property-rows.ts'
import { isReasonCodeOf } from './reason-codes.ts'
import { utf8Length } from './utf8.ts'

declare class TextEncoder {
  encode(text: string): Uint8Array
}
const encoder = new TextEncoder()

/** Bytes that grow as fields are written. */
class Bytes {
  private bytes = new Uint8Array(32)
  size = 0

  raw(value: ArrayLike<number>): void {
    const start = this.size
    this.size += value.length
    if (this.size > this.bytes.length) {
      const larger = new Uint8Array(this.size * 2)
      larger.set(this.bytes)
      this.bytes = larger
    }
    this.bytes.set(value, start)
  }

  integer(value: number, size: number): void {
    while (size-- > 0) this.raw([Math.floor(value / 256 ** size)])
  }

  variableByteInteger(value: number): void {
    for (; value > 127; value >>>= 7) this.raw([(value & 127) | 128])
    this.raw([value])
  }

  binary(value: Uint8Array, what: string): void {
    if (!(value instanceof Uint8Array)) throw new TypeError(`${what} takes a Uint8Array`)
    if (value.length > 65535) throw new RangeError(`${what} takes ${value.length} bytes; 65535 is the most`)
    this.integer(value.length, 2)
    this.raw(value)
  }

  string(text: string, what: string): void {
    utf8Length(text, what)
    this.binary(encoder.encode(text), what)
  }

  /** Other bytes behind their length. */
  section(value: Uint8Array): void {
    this.variableByteInteger(value.length)
    this.raw(value)
  }

  end(): Uint8Array {
    return this.bytes.subarray(0, this.size)
  }

  property(name: string, kind: string, nonZero: boolean, value: unknown): void {
    if (kind === 's') this.string(value as string, name)
    else if (kind === 'b') this.binary(value as Uint8Array, name)
    else if (kind === 'p') {
      if (!Array.isArray(value) || value.length !== 2)
        throw new TypeError(`${name} takes [name, value] pairs`)
      for (const text of value) this.string(text, name)
    } else {
      const most = kind === 'v' ? 268435455 : kind === '1' ? 1 : 256 ** Number(kind) - 1
      if (!Number.isInteger(value) || (value as number) < Number(nonZero) || (value as number) > most) {
        throw new RangeError(`${name} is ${value}; it takes ${Number(nonZero)} to ${most}`)
      }
      if (kind === 'v') this.variableByteInteger(value as number)
      else this.integer(value as number, Number(kind))
    }
  }
}

/** The properties without their length. @throws TypeError, RangeError for what cannot stand there */
function properties(bag: object | undefined, place: PropertyPlace): Uint8Array {
  const bytes = new Bytes()
  for (const [name, value] of Object.entries(bag ?? {})) {
    if (value === undefined) continue
    const row = ROWS.find((each) => each.name === name)
    if (!stands(row, place)) throw new TypeError(`${place} has no property ${name}`)
    const many = /[pv]/.test(row.kind)
    if (many && !Array.isArray(value)) throw new TypeError(`${name} takes an array`)
    if (row.kind === 'v' && place !== 'PUBLISH' && value.length > 1)
      throw new RangeError(`${place} takes one ${name}`)
    for (const each of many ? (value as unknown[]) : [value]) {
      bytes.raw([row.id])
      bytes.property(name, row.kind, row.nonZero, each)
    }
  }
  const { responseTopic } = (bag ?? {}) as { responseTopic?: string }
  if (responseTopic !== undefined) checkTopicName(responseTopic)
  return bytes.end()
}

export function propertiesLength(bag: object | undefined, place: PropertyPlace): number {
  return properties(bag, place).length
}

/** What a client sends, as codec/encode.ts writes it. What its caller has checked is not checked again:
 *  topics, filters, QoS, packet identifiers. */
export function encode(packet: Packet, version: ProtocolVersion): Uint8Array {
  const bytes = new Bytes()
  const body = new Bytes()
  const { type } = packet
  let flags = 0
  if (type === 'PUBLISH') flags = (packet.dup ? 8 : 0) | (packet.qos << 1) | (packet.retain ? 1 : 0)
  else if (type === 'PUBREL' || type === 'SUBSCRIBE' || type === 'UNSUBSCRIBE') flags = 2
  bytes.raw([(PACKET_TYPES.indexOf(type) << 4) | flags])
  write(body, packet, version)
  bytes.section(body.end())
  return bytes.end()
}

function write(body: Bytes, packet: Packet, version: ProtocolVersion): void {
  const bag = (place: PropertyPlace, value: object | undefined): void => {
    if (version === 5) body.section(properties(value, place))
  }
  const { type } = packet
  switch (type) {
    case 'CONNECT': {
      const { will, username, password } = packet
      body.string(version === 3 ? 'MQIsdp' : 'MQTT', type)
      body.raw([
        packet.bridge ? version | 128 : version,
        connectFlags(packet.cleanStart, will, username, password),
      ])
      body.integer(packet.keepAlive, 2)
      bag(type, packet.properties)
      body.string(packet.clientId, 'clientId')
      if (will !== undefined) {
        bag('WILL', will.properties)
        body.string(will.topic, 'topic')
        body.binary(will.payload, 'payload')
      }
      if (username !== undefined) body.string(username, 'username')
      if (password !== undefined) body.binary(password, 'password')
      break
    }
    case 'PUBLISH':
      body.string(packet.topic, 'topic')
      if (packet.qos > 0) body.integer(packet.packetId, 2)
      bag(type, packet.properties)
      body.raw(packet.payload)
      break
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
      body.integer(packet.packetId, 2)
      bag(type, packet.properties)
      if (type === 'UNSUBSCRIBE') for (const filter of packet.topicFilters) body.string(filter, 'filter')
      else
        for (const {
          topicFilter,
          qos,
          noLocal,
          retainAsPublished,
          retainHandling = 0,
        } of packet.subscriptions) {
          body.string(topicFilter, 'filter')
          body.raw([
            version < 5 ? qos : qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4),
          ])
        }
      break
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP':
      body.integer(packet.packetId, 2)
      ending(body, packet, version)
      break
    case 'DISCONNECT':
    case 'AUTH':
      ending(body, packet, version)
  }
}

/** Reason code and properties, as far as they are not what is understood. */
function ending(
  body: Bytes,
  packet: { readonly type: PacketType; readonly reasonCode: number; readonly properties?: object },
  version: ProtocolVersion,
): void {
  const { type, reasonCode } = packet
  if (version < 5) return
  if (!isReasonCodeOf(type, reasonCode)) throw new RangeError(`${type} has no reason code ${reasonCode}`)
  const bag = properties(packet.properties, type)
  if (reasonCode > 0 || bag.length > 0) body.raw([reasonCode])
  if (bag.length > 0) body.section(bag)
}

function connectFlags(
  cleanStart: boolean,
  will: Will | undefined,
  username: string | undefined,
  password: Uint8Array | undefined,
): number {
  return (
    (cleanStart ? 2 : 0) |
    (will === undefined ? 0 : 4 | (will.qos << 3) | (will.retain ? 32 : 0)) |
    (password === undefined ? 0 : 64) |
    (username === undefined ? 0 : 128)
  )
}

export function encodedLength(packet: Packet, version: ProtocolVersion): number {
  return encode(packet, version).length
}

export function encodeInto(
  packet: Packet,
  version: ProtocolVersion,
  bytes: Uint8Array,
  offset: number,
): number {
  const encoded = encode(packet, version)
  bytes.set(encoded, offset)
  return offset + encoded.length
}
