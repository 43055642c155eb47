import { checkPacketId, checkReasonCode, withLength } from './checks.ts'
import type { ProtocolVersion, Suback, Unsuback } from './packets.ts'
import { propertiesLength, writeProperties } from './properties.ts'
import type { Writer } from './writer.ts'

export function subackLength(packet: Suback, version: ProtocolVersion): number {
  checkPacketId(packet.packetId, 'SUBACK')
  if (packet.reasonCodes.length === 0) throw new RangeError('SUBACK takes at least one reason code')
  for (const code of packet.reasonCodes) checkSubackCode(code, version)
  const properties = version === 5 ? withLength(propertiesLength(packet.properties, 'SUBACK')) : 0
  return 2 + properties + packet.reasonCodes.length
}

export function unsubackLength(packet: Unsuback, version: ProtocolVersion): number {
  checkPacketId(packet.packetId, 'UNSUBACK')
  if (version < 5) return 2
  for (const code of packet.reasonCodes) checkReasonCode(code, 'UNSUBACK')
  return 2 + withLength(propertiesLength(packet.properties, 'UNSUBACK')) + packet.reasonCodes.length
}

export function writeReasonCodes(writer: Writer, packet: Suback | Unsuback, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version === 5)
    writeProperties(writer, packet.properties, propertiesLength(packet.properties, packet.type))
  else if (packet.type === 'UNSUBACK') return
  for (const code of packet.reasonCodes) writer.byte(code)
}

/** Return codes of SUBACK in 3.x. @see MQTT 3.1.1, 3.9.3 */
function checkSubackCode(code: number, version: ProtocolVersion): void {
  if (version === 5) checkReasonCode(code, 'SUBACK')
  else if (code !== 0 && code !== 1 && code !== 2 && code !== 0x80) {
    throw new RangeError(`SUBACK of MQTT 3 has no return code ${code}`)
  }
}
