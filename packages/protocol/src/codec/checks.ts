import { topicNameFault } from '../topics/names.ts'
import type { PacketType } from './packets.ts'
import { variableByteIntegerLength } from './reader.ts'
import { isReasonCodeOf } from './reason-codes.ts'
import { utf8Length } from './utf8.ts'

/** What the encoder refuses: packets that a peer would have to treat as malformed. All throw RangeError or
 *  TypeError, since they are the caller's mistakes. */
export function checkPacketId(packetId: number, type: PacketType): void {
  if (!(packetId >= 1 && packetId <= 65535) || !Number.isInteger(packetId)) {
    throw new RangeError(`${type}: packetId is ${packetId}; it takes 1 to 65535`)
  }
}

export function checkQoS(qos: number, what: string): void {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new RangeError(`${what}: qos is ${qos}; it takes 0, 1 or 2`)
}

export function checkReasonCode(code: number, type: PacketType): void {
  if (!isReasonCodeOf(type, code)) throw new RangeError(`${type} has no reason code ${code}`)
}

/** Bytes of a Topic Name's UTF-8, which is at least one character and holds no wildcard. */
export function topicNameLength(topic: string, what: string): number {
  const length = utf8Length(topic, what)
  const fault = topicNameFault(topic)
  if (fault !== undefined) throw new RangeError(`${what}: ${fault}`)
  return length
}

/** Bytes of binary data with the length in front. */
export function binaryLength(value: Uint8Array, what: string): number {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} takes a Uint8Array`)
  if (value.length > 65535) throw new RangeError(`${what} is ${value.length} bytes; 65535 is the most`)
  return 2 + value.length
}

/** Bytes of something with its length as a Variable Byte Integer in front. */
export function withLength(length: number): number {
  return variableByteIntegerLength(length) + length
}
