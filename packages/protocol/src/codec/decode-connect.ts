import { MalformedPacketError, ProtocolError } from '../errors.ts'
import { topicNameFault } from '../topics/names.ts'
import { checkResponseTopic } from './fields.ts'
import { NO_PROPERTIES } from './no-properties.ts'
import type { Connect, ProtocolVersion, QoS, Will } from './packets.ts'
import { readProperties } from './properties.ts'
import type { ConnectProperties, WillProperties } from './property-table.ts'
import type { Reader } from './reader.ts'
import { decodeUtf8 } from './utf8.ts'

export function decodeConnect(reader: Reader, headerFlags: number): Connect {
  const name = reader.string('Protocol Name')
  const level = reader.byte('Protocol Version')
  const version = protocolVersionOf(name, level & 0x7f)
  // 3.1 gives these flags no meaning in CONNECT and does not ask for 0.
  if (headerFlags !== 0 && version > 3) {
    throw new MalformedPacketError(`CONNECT: reserved flags are ${headerFlags} [MQTT-2.1.3-1]`)
  }
  const flags = reader.byte('Connect Flags')
  checkConnectFlags(flags, version)
  const keepAlive = reader.uint16('Keep Alive')
  const properties: ConnectProperties = version === 5 ? readProperties(reader, 'CONNECT') : NO_PROPERTIES
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw new ProtocolError('CONNECT: Authentication Data without Authentication Method')
  }
  const clientId = readClientId(reader)
  const will = flags & 0x04 ? readWill(reader, flags, version) : undefined
  const username = flags & 0x80 && mayRead(reader, version) ? reader.string('User Name') : undefined
  const password = flags & 0x40 && mayRead(reader, version) ? reader.binary('Password') : undefined
  return {
    type: 'CONNECT',
    protocolVersion: version,
    bridge: level > 0x7f,
    clientId,
    cleanStart: (flags & 0x02) !== 0,
    keepAlive,
    username,
    password,
    will,
    properties,
  }
}

function protocolVersionOf(name: string, level: number): ProtocolVersion {
  if (name === 'MQTT' && (level === 4 || level === 5)) return level
  if (name === 'MQIsdp' && level === 3) return 3
  const known = name === 'MQTT' || name === 'MQIsdp'
  if (!known) throw new ProtocolError(`CONNECT: Protocol Name ${JSON.stringify(name)} is not MQTT`)
  throw new ProtocolError(`CONNECT: ${name} version ${level}; 3 (MQIsdp), 4 and 5 (MQTT) are spoken`, 0x84)
}

function checkConnectFlags(flags: number, version: ProtocolVersion): void {
  if (flags & 0x01 && version > 3) {
    throw new MalformedPacketError('CONNECT: the reserved flag is set [MQTT-3.1.2-3]')
  }
  const willQoS = (flags >> 3) & 3
  if (willQoS === 3) throw new MalformedPacketError('CONNECT: Will QoS 3 [MQTT-3.1.2-12]')
  if ((flags & 0x04) === 0 && (flags & 0x38) !== 0) {
    throw new MalformedPacketError('CONNECT: Will QoS or Will Retain without the Will Flag')
  }
  if (version < 5 && (flags & 0xc0) === 0x40) {
    throw new MalformedPacketError('CONNECT: a password without a user name [MQTT-3.1.2-22]')
  }
}

/** In 3.1 the Remaining Length takes precedence: a flag may be set and its field missing (3.1, 3.1). */
function mayRead(reader: Reader, version: ProtocolVersion): boolean {
  return version > 3 || reader.remaining > 0
}

/** A Client Identifier that is no valid string is refused with 0x85 [MQTT-3.1.3-4] [MQTT-3.1.3-8]. */
function readClientId(reader: Reader): string {
  const bytes = reader.binary('Client Identifier')
  try {
    return decodeUtf8(bytes, 0, bytes.length, 'Client Identifier', reader.strict)
  } catch (error) {
    throw new MalformedPacketError((error as Error).message, 0x85)
  }
}

function readWill(reader: Reader, flags: number, version: ProtocolVersion): Will {
  const properties: WillProperties = version === 5 ? readProperties(reader, 'WILL') : NO_PROPERTIES
  checkResponseTopic(properties, 'Will')
  const topic = reader.string('Will Topic')
  const fault = topicNameFault(topic)
  if (fault !== undefined) throw new MalformedPacketError(`Will Topic: ${fault}`)
  const payload = reader.binary('Will Payload')
  const qos = ((flags >> 3) & 3) as QoS
  return { topic, payload, qos, retain: (flags & 0x20) !== 0, properties }
}
