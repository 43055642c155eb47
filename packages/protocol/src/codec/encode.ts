import { checkPacketId, checkQoS, checkReasonCode, topicNameLength, withLength } from './checks.ts'
import { connackLength, writeConnack } from './encode-connack.ts'
import { connectLength, writeConnect } from './encode-connect.ts'
import { subackLength, unsubackLength, writeReasonCodes } from './encode-suback.ts'
import { subscribeLength, unsubscribeLength, writeSubscribe, writeUnsubscribe } from './encode-subscribe.ts'
import { NO_PROPERTIES } from './no-properties.ts'
import type {
  Auth,
  Disconnect,
  Packet,
  PacketType,
  ProtocolVersion,
  Puback,
  Pubcomp,
  Publish,
  Pubrec,
  Pubrel,
} from './packets.ts'
import { propertiesLength, writeProperties } from './properties.ts'
import { variableByteIntegerLength } from './reader.ts'
import { TOPIC_ALIAS_LENGTH, TopicAliasOnly } from './topic-alias-only.ts'
import { TopicBytes } from './topic-bytes.ts'
import { Writer } from './writer.ts'

/** Bytes that the packet takes on the wire, fixed header included.
 *  @throws TypeError, RangeError naming the field that MQTT cannot carry */
export function encodedLength(packet: Packet, version: ProtocolVersion): number {
  const body = bodyLength(packet, version)
  return 1 + variableByteIntegerLength(body) + body
}

/** Writes the packet at `offset` and gives the offset behind it.
 *  @throws TypeError, RangeError as `encodedLength`, and RangeError when it does not fit; nothing is written then */
export function encodeInto(
  packet: Packet,
  version: ProtocolVersion,
  bytes: Uint8Array,
  offset: number,
): number {
  if (packet.type === 'PUBLISH') return publishInto(packet, version, bytes, offset)
  const body = bodyLength(packet, version)
  const end = offset + 1 + variableByteIntegerLength(body) + body
  if (end > bytes.length) throw doesNotFit(packet, end - offset, bytes.length - offset)
  write(packet, version, bytes, offset, body)
  return end
}

/** The packet in bytes of its own.
 *  @throws TypeError, RangeError naming the field that MQTT cannot carry */
export function encode(packet: Packet, version: ProtocolVersion): Uint8Array {
  const body = bodyLength(packet, version)
  const bytes = new Uint8Array(1 + variableByteIntegerLength(body) + body)
  if (packet.type === 'PUBLISH') publishInto(packet, version, bytes, 0)
  else write(packet, version, bytes, 0, body)
  return bytes
}

function doesNotFit(packet: Packet, needed: number, left: number): RangeError {
  return new RangeError(`${packet.type} takes ${needed} bytes; ${left} are left`)
}

// Scratch and cache of synchronous functions: nothing in them outlives a call or tells one caller from another.
const writer = new Writer()
const topicBytes = new TopicBytes()

function write(
  packet: Packet,
  version: ProtocolVersion,
  bytes: Uint8Array,
  offset: number,
  body: number,
): void {
  writer.reset(bytes, offset)
  writer.byte(FIRST_BYTE[packet.type])
  writer.variableByteInteger(body)
  writeBody(packet, version)
}

const FIRST_BYTE: Record<PacketType, number> = {
  CONNECT: 0x10,
  CONNACK: 0x20,
  PUBLISH: 0x30,
  PUBACK: 0x40,
  PUBREC: 0x50,
  PUBREL: 0x62,
  PUBCOMP: 0x70,
  SUBSCRIBE: 0x82,
  SUBACK: 0x90,
  UNSUBSCRIBE: 0xa2,
  UNSUBACK: 0xb0,
  PINGREQ: 0xc0,
  PINGRESP: 0xd0,
  DISCONNECT: 0xe0,
  AUTH: 0xf0,
}

function bodyLength(packet: Packet, version: ProtocolVersion): number {
  const length = uncheckedBodyLength(packet, version)
  if (length > 268435455) throw tooLong(packet, length)
  return length
}

function tooLong(packet: Packet, length: number): RangeError {
  return new RangeError(`${packet.type} takes ${length} bytes; Remaining Length goes to 268435455`)
}

function uncheckedBodyLength(packet: Packet, version: ProtocolVersion): number {
  switch (packet.type) {
    case 'PUBLISH':
      return publishLength(packet, version, topicBytes.find(packet.topic), publishProperties(packet, version))
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP':
      return acknowledgementLength(packet, version)
    case 'CONNECT':
      return connectLength(packet)
    case 'CONNACK':
      return connackLength(packet, version)
    case 'SUBSCRIBE':
      return subscribeLength(packet, version)
    case 'SUBACK':
      return subackLength(packet, version)
    case 'UNSUBSCRIBE':
      return unsubscribeLength(packet, version)
    case 'UNSUBACK':
      return unsubackLength(packet, version)
    case 'PINGREQ':
    case 'PINGRESP':
      return 0
    case 'DISCONNECT':
      return disconnectLength(packet, version)
    case 'AUTH':
      return authLength(packet, version)
  }
}

function writeBody(packet: Packet, version: ProtocolVersion): void {
  switch (packet.type) {
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP':
      return writeAcknowledgement(packet, version)
    case 'CONNECT':
      return writeConnect(writer, packet)
    case 'CONNACK':
      return writeConnack(writer, packet, version)
    case 'SUBSCRIBE':
      return writeSubscribe(writer, packet, version)
    case 'SUBACK':
    case 'UNSUBACK':
      return writeReasonCodes(writer, packet, version)
    case 'UNSUBSCRIBE':
      return writeUnsubscribe(writer, packet, version)
    case 'DISCONNECT':
    case 'AUTH':
      return writeClosing(packet, version)
  }
}

/** Bytes of the properties, or -1 where there is no such field. */
function publishProperties(packet: Publish, version: ProtocolVersion): number {
  if (version < 5) return -1
  const { properties } = packet
  if (properties === undefined || properties === NO_PROPERTIES) return 0
  if (properties instanceof TopicAliasOnly) return TOPIC_ALIAS_LENGTH
  const length = propertiesLength(properties, 'PUBLISH')
  if (properties.responseTopic !== undefined) topicNameLength(properties.responseTopic, 'responseTopic')
  return length
}

function publishLength(
  packet: Publish,
  version: ProtocolVersion,
  known: Uint8Array | undefined,
  properties: number,
): number {
  const { qos, payload } = packet
  if (typeof payload === 'string') throw new TypeError('payload takes a Uint8Array, not a string')
  let length = (known === undefined ? 2 + topicLength(packet, version) : known.length) + payload.length
  if (qos === 0) {
    if (packet.dup) throw new RangeError('PUBLISH: dup takes a qos of 1 or 2 [MQTT-3.3.1-2]')
  } else {
    checkQoS(qos, 'PUBLISH')
    checkPacketId(packet.packetId, 'PUBLISH')
    length += 2
  }
  return properties < 0 ? length : length + withLength(properties)
}

function topicLength(packet: Publish, version: ProtocolVersion): number {
  // Only an alias may stand for the name (3.3.2.1).
  if (packet.topic === '' && version === 5 && packet.properties?.topicAlias !== undefined) return 0
  return topicNameLength(packet.topic, 'topic')
}

function publishInto(packet: Publish, version: ProtocolVersion, bytes: Uint8Array, offset: number): number {
  const { payload, qos } = packet
  const known = topicBytes.find(packet.topic)
  const properties = publishProperties(packet, version)
  const body = publishLength(packet, version, known, properties)
  if (body > 268435455) throw tooLong(packet, body)
  const end = offset + 1 + variableByteIntegerLength(body) + body
  if (end > bytes.length) throw doesNotFit(packet, end - offset, bytes.length - offset)
  bytes[offset] = 0x30 | (packet.dup ? 8 : 0) | (qos << 1) | (packet.retain ? 1 : 0)
  writer.reset(bytes, offset + 1)
  writer.variableByteInteger(body)
  if (known === undefined) writer.string(packet.topic)
  else writer.raw(known)
  if (qos > 0) writer.uint16(packet.packetId)
  if (properties === 0) writer.byte(0)
  else if (packet.properties instanceof TopicAliasOnly && properties > 0) {
    writer.byte(TOPIC_ALIAS_LENGTH)
    writer.byte(0x23)
    writer.uint16(packet.properties.topicAlias)
  } else if (properties > 0) writeProperties(writer, packet.properties, properties)
  bytes.set(payload, end - payload.length)
  return end
}

function acknowledgementLength(packet: Puback | Pubrec | Pubrel | Pubcomp, version: ProtocolVersion): number {
  checkPacketId(packet.packetId, packet.type)
  if (version < 5) return 2
  checkReasonCode(packet.reasonCode, packet.type)
  const length = propertiesLength(packet.properties, packet.type)
  if (length > 0) return 3 + withLength(length)
  return packet.reasonCode === 0 ? 2 : 3
}

function writeAcknowledgement(packet: Puback | Pubrec | Pubrel | Pubcomp, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version < 5) return
  const length = propertiesLength(packet.properties, packet.type)
  if (length === 0 && packet.reasonCode === 0) return
  writer.byte(packet.reasonCode)
  if (length > 0) writeProperties(writer, packet.properties, length)
}

function disconnectLength(packet: Disconnect, version: ProtocolVersion): number {
  if (version < 5) return 0
  checkReasonCode(packet.reasonCode, 'DISCONNECT')
  const length = propertiesLength(packet.properties, 'DISCONNECT')
  if (length > 0) return 1 + withLength(length)
  return packet.reasonCode === 0 ? 0 : 1
}

function authLength(packet: Auth, version: ProtocolVersion): number {
  if (version < 5) throw new RangeError('AUTH is a packet of MQTT 5.0')
  checkReasonCode(packet.reasonCode, 'AUTH')
  const length = propertiesLength(packet.properties, 'AUTH')
  if (length === 0 && packet.reasonCode === 0) return 0
  if (packet.properties?.authenticationMethod === undefined) {
    throw new RangeError('AUTH takes an authenticationMethod (3.15.2.2.2)')
  }
  return 1 + withLength(length)
}

function writeClosing(packet: Disconnect | Auth, version: ProtocolVersion): void {
  if (version < 5) return
  const length = propertiesLength(packet.properties, packet.type)
  if (length === 0 && packet.reasonCode === 0) return
  writer.byte(packet.reasonCode)
  if (length > 0) writeProperties(writer, packet.properties, length)
}
