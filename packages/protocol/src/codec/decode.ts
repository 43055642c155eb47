import { MalformedPacketError, ProtocolError } from '../errors.ts'
import { decodeConnack } from './decode-connack.ts'
import { decodeConnect } from './decode-connect.ts'
import { decodeSuback, decodeUnsuback } from './decode-suback.ts'
import { decodeSubscribe, decodeUnsubscribe } from './decode-subscribe.ts'
import { checkResponseTopic, readPacketId, readReasonCode, readTopicName, reservedType } from './fields.ts'
import { NO_PROPERTIES } from './no-properties.ts'
import {
  type Auth,
  type Disconnect,
  PACKET_TYPES,
  type Packet,
  type ProtocolVersion,
  type Publish,
  type QoS,
} from './packets.ts'
import { readProperties } from './properties.ts'
import type { AuthProperties, PublishProperties } from './property-table.ts'
import type { Reader } from './reader.ts'
import type { TopicCache } from './topic-cache.ts'

/** Flags of the fixed header that each packet type must carry; PUBLISH has its own meaning for them,
 *  and CONNECT is only checked when its version is known.
 *  @see MQTT 5.0, 2.1.3 */
const FIXED_FLAGS = [0, -1, 0, -1, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0]

/** Decodes the body of one packet.
 *  @param reader stands behind the fixed header; its `end` is the end of the packet
 *  @param firstByte packet type and flags
 *  @param version what CONNECT agreed on; CONNECT itself brings its own
 *  @throws MalformedPacketError, ProtocolError with the reason code of the specification */
export function decodeBody(
  reader: Reader,
  firstByte: number,
  version: ProtocolVersion,
  topics?: TopicCache,
): Packet {
  const typeNumber = firstByte >> 4
  if (typeNumber === 3) return decodePublish(reader, firstByte, version, topics)
  checkFlags(typeNumber, firstByte & 15, version)
  const packet = decodeOther(reader, firstByte, version)
  if (reader.offset !== reader.end) {
    throw new MalformedPacketError(`${packet.type}: ${reader.remaining} bytes too many`)
  }
  return packet
}

function checkFlags(typeNumber: number, flags: number, version: ProtocolVersion): void {
  if (typeNumber === 0) throw reservedType()
  const expected = FIXED_FLAGS[typeNumber]!
  if (flags === expected || expected === -1) return
  // 3.1 repeats PUBREL, SUBSCRIBE and UNSUBSCRIBE with DUP set (3.1, 2.1).
  if (version === 3 && expected === 2 && flags === 10) return
  throw new MalformedPacketError(`${PACKET_TYPES[typeNumber]}: reserved flags are ${flags} [MQTT-2.1.3-1]`)
}

function decodeOther(reader: Reader, firstByte: number, version: ProtocolVersion): Packet {
  switch (firstByte >> 4) {
    case 1:
      return decodeConnect(reader, firstByte & 15)
    case 2:
      return decodeConnack(reader, version)
    case 4:
      return decodeAcknowledgement(reader, 'PUBACK', version)
    case 5:
      return decodeAcknowledgement(reader, 'PUBREC', version)
    case 6:
      return decodeAcknowledgement(reader, 'PUBREL', version)
    case 7:
      return decodeAcknowledgement(reader, 'PUBCOMP', version)
    case 8:
      return decodeSubscribe(reader, version)
    case 9:
      return decodeSuback(reader, version)
    case 10:
      return decodeUnsubscribe(reader, version)
    case 11:
      return decodeUnsuback(reader, version)
    case 12:
      return { type: 'PINGREQ' }
    case 13:
      return { type: 'PINGRESP' }
    case 14:
      return decodeDisconnect(reader, version)
    default:
      return decodeAuth(reader, version)
  }
}

function decodePublish(
  reader: Reader,
  firstByte: number,
  version: ProtocolVersion,
  topics: TopicCache | undefined,
): Publish {
  const qos = (firstByte >> 1) & 3
  const dup = (firstByte & 8) !== 0
  if (qos === 3) throw new MalformedPacketError('PUBLISH: QoS 3 [MQTT-3.3.1-4]')
  if (dup && qos === 0) throw new MalformedPacketError('PUBLISH: DUP on QoS 0 [MQTT-3.3.1-2]')
  const topic = topics === undefined ? readTopicName(reader) : topics.read(reader)
  const packetId = qos === 0 ? 0 : readPacketId(reader, 'PUBLISH')
  let properties: PublishProperties = NO_PROPERTIES
  if (version === 5) {
    properties = readProperties(reader, 'PUBLISH')
    if (properties !== NO_PROPERTIES) checkResponseTopic(properties, 'PUBLISH')
    if (topic.length === 0 && properties.topicAlias === undefined) {
      throw new ProtocolError('PUBLISH: neither Topic Name nor Topic Alias')
    }
  } else if (topic.length === 0) throw new MalformedPacketError('PUBLISH: empty Topic Name [MQTT-4.7.3-1]')
  return {
    type: 'PUBLISH',
    topic,
    payload: reader.rest(),
    qos: qos as QoS,
    retain: (firstByte & 1) !== 0,
    dup,
    packetId,
    properties,
  }
}

type AcknowledgementType = 'PUBACK' | 'PUBREC' | 'PUBREL' | 'PUBCOMP'

function decodeAcknowledgement(reader: Reader, type: AcknowledgementType, version: ProtocolVersion): Packet {
  const packetId = readPacketId(reader, type)
  if (version < 5 || reader.remaining === 0) {
    return { type, packetId, reasonCode: 0, properties: NO_PROPERTIES } as Packet
  }
  const reasonCode = readReasonCode(reader, type)
  const properties = reader.remaining === 0 ? NO_PROPERTIES : readProperties(reader, type)
  return { type, packetId, reasonCode, properties } as Packet
}

function decodeDisconnect(reader: Reader, version: ProtocolVersion): Disconnect {
  if (version < 5 || reader.remaining === 0) {
    return { type: 'DISCONNECT', reasonCode: 0, properties: NO_PROPERTIES }
  }
  const reasonCode = readReasonCode(reader, 'DISCONNECT')
  const properties = reader.remaining === 0 ? NO_PROPERTIES : readProperties(reader, 'DISCONNECT')
  return { type: 'DISCONNECT', reasonCode, properties }
}

function decodeAuth(reader: Reader, version: ProtocolVersion): Auth {
  if (version < 5) throw new MalformedPacketError('packet type 15 is reserved before MQTT 5.0')
  if (reader.remaining === 0) return { type: 'AUTH', reasonCode: 0, properties: NO_PROPERTIES }
  const reasonCode = readReasonCode(reader, 'AUTH')
  const properties: AuthProperties = readProperties(reader, 'AUTH')
  if (properties.authenticationMethod === undefined) {
    throw new ProtocolError('AUTH: no Authentication Method (3.15.2.2.2)')
  }
  return { type: 'AUTH', reasonCode, properties }
}
