import { checkReasonCode, withLength } from './checks.ts'
import type { Connack, ProtocolVersion } from './packets.ts'
import { propertiesLength, writeProperties } from './properties.ts'
import type { Writer } from './writer.ts'

export function connackLength(packet: Connack, version: ProtocolVersion): number {
  const code = packet.reasonCode
  if (version === 5) checkReasonCode(code, 'CONNACK')
  else if (!(code >= 0 && code <= 5) || !Number.isInteger(code)) {
    throw new RangeError(`CONNACK of MQTT 3 has no return code ${code}`)
  }
  if (packet.sessionPresent && code !== 0) throw new RangeError('CONNACK: sessionPresent in a refusal')
  return 2 + (version === 5 ? withLength(propertiesLength(packet.properties, 'CONNACK')) : 0)
}

export function writeConnack(writer: Writer, packet: Connack, version: ProtocolVersion): void {
  writer.byte(packet.sessionPresent ? 1 : 0)
  writer.byte(packet.reasonCode)
  if (version === 5)
    writeProperties(writer, packet.properties, propertiesLength(packet.properties, 'CONNACK'))
}
