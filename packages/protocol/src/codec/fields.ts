import { MalformedPacketError, ProtocolError } from '../errors.ts'
import { hasWildcard, topicNameFault } from '../topics/names.ts'
import type { PacketType } from './packets.ts'
import type { PublishProperties, WillProperties } from './property-table.ts'
import type { Reader } from './reader.ts'
import { isReasonCodeOf, type ReasonCode } from './reason-codes.ts'

/** Packet type 0. */
export function reservedType(): ProtocolError {
  return new ProtocolError('packet type 0 is reserved')
}

/** @throws ProtocolError, or for the requests MalformedPacketError, as suites of other brokers expect */
export function readPacketId(reader: Reader, type: PacketType): number {
  const packetId = reader.uint16('Packet Identifier')
  if (packetId !== 0) return packetId
  const message = `${type}: Packet Identifier 0 [MQTT-2.2.1-3]`
  if (type === 'SUBSCRIBE' || type === 'UNSUBSCRIBE') throw new MalformedPacketError(message)
  throw new ProtocolError(message)
}

export function readReasonCode(reader: Reader, type: PacketType): ReasonCode {
  const code = reader.byte('Reason Code')
  if (!isReasonCodeOf(type, code)) {
    throw new ProtocolError(`${type}: reason code 0x${code.toString(16)} is not one of its own`)
  }
  return code
}

/** Reads a Topic Name; it may be empty, as beside a Topic Alias. */
export function readTopicName(reader: Reader): string {
  const topic = reader.string('Topic Name')
  if (hasWildcard(topic)) {
    throw new MalformedPacketError(`${topicNameFault(topic)} [MQTT-3.3.2-2]`)
  }
  return topic
}

export function checkResponseTopic(properties: PublishProperties | WillProperties, place: string): void {
  const responseTopic = properties.responseTopic
  if (responseTopic === undefined) return
  if (responseTopic.length === 0 || hasWildcard(responseTopic)) {
    throw new ProtocolError(`${place}: Response Topic ${JSON.stringify(responseTopic)} is no Topic Name`)
  }
}
