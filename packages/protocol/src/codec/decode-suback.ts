import { ProtocolError } from '../errors.ts'
import { readPacketId, readReasonCode } from './fields.ts'
import { NO_PROPERTIES } from './no-properties.ts'
import type { ProtocolVersion, Suback, Unsuback } from './packets.ts'
import { readProperties } from './properties.ts'
import type { Reader } from './reader.ts'
import type { ReasonCode } from './reason-codes.ts'

export function decodeSuback(reader: Reader, version: ProtocolVersion): Suback {
  const packetId = readPacketId(reader, 'SUBACK')
  const properties = version === 5 ? readProperties(reader, 'SUBACK') : NO_PROPERTIES
  if (reader.remaining === 0) throw new ProtocolError('SUBACK: no reason code')
  const reasonCodes: ReasonCode[] = []
  while (reader.remaining > 0) {
    const code = readReasonCode(reader, 'SUBACK')
    if (version < 5 && code > 2 && code !== 0x80) {
      throw new ProtocolError(`SUBACK: return code 0x${code.toString(16)} [MQTT-3.9.3-2]`)
    }
    reasonCodes.push(code)
  }
  return { type: 'SUBACK', packetId, reasonCodes, properties }
}

export function decodeUnsuback(reader: Reader, version: ProtocolVersion): Unsuback {
  const packetId = readPacketId(reader, 'UNSUBACK')
  if (version < 5) return { type: 'UNSUBACK', packetId, reasonCodes: [], properties: NO_PROPERTIES }
  const properties = readProperties(reader, 'UNSUBACK')
  const reasonCodes: ReasonCode[] = []
  while (reader.remaining > 0) reasonCodes.push(readReasonCode(reader, 'UNSUBACK'))
  return { type: 'UNSUBACK', packetId, reasonCodes, properties }
}
