import { binaryLength, checkQoS, topicNameLength, withLength } from './checks.ts'
import type { Connect, ProtocolVersion, Will } from './packets.ts'
import { propertiesLength, writeProperties } from './properties.ts'
import { utf8Length } from './utf8.ts'
import type { Writer } from './writer.ts'

export function connectLength(packet: Connect): number {
  const { protocolVersion: version, properties, will, username, password } = packet
  checkConnect(packet)
  let length = (version === 3 ? 8 : 6) + 4 + 2 + utf8Length(packet.clientId, 'clientId')
  if (version === 5) length += withLength(propertiesLength(properties, 'CONNECT'))
  if (will !== undefined) length += willLength(will, version)
  if (username !== undefined) length += 2 + utf8Length(username, 'username')
  if (password !== undefined) length += binaryLength(password, 'password')
  return length
}

function checkConnect(packet: Connect): void {
  const { protocolVersion: version, keepAlive, properties } = packet
  if (version !== 3 && version !== 4 && version !== 5) {
    throw new RangeError(`CONNECT: protocolVersion is ${version}; it takes 3, 4 or 5`)
  }
  if (!(keepAlive >= 0 && keepAlive <= 65535) || !Number.isInteger(keepAlive)) {
    throw new RangeError(`CONNECT: keepAlive is ${keepAlive}; it takes 0 to 65535 seconds`)
  }
  if (version < 5 && packet.password !== undefined && packet.username === undefined) {
    throw new RangeError('CONNECT: MQTT 3 takes no password without a username')
  }
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw new RangeError('CONNECT: authenticationData without authenticationMethod')
  }
}

function willLength(will: Will, version: ProtocolVersion): number {
  checkQoS(will.qos, 'will')
  let length = 2 + topicNameLength(will.topic, 'will topic') + binaryLength(will.payload, 'will payload')
  if (version < 5) return length
  length += withLength(propertiesLength(will.properties, 'WILL'))
  const responseTopic = will.properties?.responseTopic
  if (responseTopic !== undefined) topicNameLength(responseTopic, 'responseTopic')
  return length
}

export function writeConnect(writer: Writer, packet: Connect): void {
  const { protocolVersion, will, username, password } = packet
  writer.string(protocolVersion === 3 ? 'MQIsdp' : 'MQTT')
  writer.byte(packet.bridge ? protocolVersion | 0x80 : protocolVersion)
  writer.byte(connectFlags(packet))
  writer.uint16(packet.keepAlive)
  if (protocolVersion === 5) {
    writeProperties(writer, packet.properties, propertiesLength(packet.properties, 'CONNECT'))
  }
  writer.string(packet.clientId)
  if (will !== undefined) {
    if (protocolVersion === 5)
      writeProperties(writer, will.properties, propertiesLength(will.properties, 'WILL'))
    writer.string(will.topic)
    writer.binary(will.payload)
  }
  if (username !== undefined) writer.string(username)
  if (password !== undefined) writer.binary(password)
}

/** @see MQTT 5.0, 3.1.2.3 */
function connectFlags(packet: Connect): number {
  const { will } = packet
  return (
    (packet.cleanStart ? 0x02 : 0) |
    (will === undefined ? 0 : 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0)) |
    (packet.password === undefined ? 0 : 0x40) |
    (packet.username === undefined ? 0 : 0x80)
  )
}
