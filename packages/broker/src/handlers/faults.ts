import {
  FramingError,
  MalformedPacketError,
  type MqttError,
  ProtocolError,
  Reader,
  type ReasonCode,
  readProperties,
} from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import { refuse } from './connect.ts'

const CONNECT = 1
const CONNACK = 2
const DISCONNECT = 14
const AUTH = 15

/** What a TLS client says first; as MQTT it would be a CONNECT with flags that are not allowed. */
const TLS_HANDSHAKE = 0x16

/** Reason codes that a client may say in DISCONNECT.
 *  @see MQTT 5.0, 3.14.2.1 */
const DISCONNECT_CODES: ReadonlySet<number> = new Set([
  0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
])

/** Looks at the first byte of a packet, before the rest has come. What is no CONNECT where one should be closes
 *  the connection: who speaks something else is told nothing, and nothing is kept for it.
 *  @throws ProtocolError for a packet that this client may never send */
export function checkFirstByte(connection: Connection, first: number): void {
  const type = first >> 4
  if (!connection.connecting) {
    if (first === TLS_HANDSHAKE) {
      connection.broker.turnedAway(connection, 'closed: it speaks TLS to a port that does not')
      return connection.finish('TLS to a port that does not speak it')
    }
    if (type !== CONNECT) connection.finish('the first packet is no CONNECT [MQTT-3.1.0-1]')
    return
  }
  if (type === CONNACK) throw new ProtocolError('CONNACK is no packet of a client')
  if (type === AUTH && connection.session !== undefined && connection.authenticationMethod === undefined) {
    throw new ProtocolError('AUTH without Authentication Method in CONNECT [MQTT-4.12.0-7]')
  }
}

/** Looks at the current frame before it is decoded: packets of a server are not looked into, and some faults
 *  close the connection in silence, as other brokers' clients expect.
 *  @throws MalformedPacketError, ProtocolError */
export function checkFrame(connection: Connection, first: number): void {
  checkFirstByte(connection, first)
  const { frames } = connection
  const length = frames.end - frames.bodyStart
  switch (first >> 4) {
    case 9: // SUBACK
    case 11: // UNSUBACK
      throw serverPacket(first)
    case 12: // PINGREQ
    case 13: // PINGRESP
      if (length > 0) return connection.finish('PINGREQ or PINGRESP with a body')
      if (first >> 4 === 13) throw serverPacket(first)
      return
    case DISCONNECT:
      if (connection.protocolVersion === 5 && first === 0xe0 && length > 0) checkReason(connection)
  }
}

function serverPacket(first: number): MqttError {
  if ((first & 15) !== 0) return new MalformedPacketError(`reserved flags are ${first & 15} [MQTT-2.1.3-1]`)
  return new ProtocolError(`packet type ${first >> 4} is none of a client`)
}

function checkReason(connection: Connection): void {
  const { bytes, bodyStart } = connection.frames
  const code = bytes[bodyStart]!
  if (!DISCONNECT_CODES.has(code)) connection.finish(`DISCONNECT 0x${code.toString(16)} is none of a client`)
}

/** Ends a connection for a fault of its client: in 5.0 with the packet that names it, where one is due.
 *  @see MQTT 5.0, 4.13 */
export function endForFault(connection: Connection, error: unknown): void {
  const { reasonCode } = error as Partial<MqttError>
  const why = error instanceof Error ? error.message : String(error)
  if (reasonCode === undefined) {
    connection.broker.logger.error({ err: error, clientId: connection.clientId }, 'internal error')
  }
  if (error instanceof FramingError) return connection.finish(why)
  if (connection.session !== undefined) return connection.disconnect(reasonCode ?? 0x80, why)
  if (reasonCode !== undefined) {
    // CONNECT was fine, and what came while its client was being authenticated is not.
    if (connection.connecting) return refuse(connection, reasonCode, why)
    if (isConnect(connection)) return endForConnect(connection, reasonCode, why)
  }
  connection.finish(why)
}

/** The fault is in CONNECT itself. 5.0 is told what is wrong with its properties and its identifier, 3.x what is
 *  wrong with its identifier; any other fault closes in silence (3.1.4). */
function endForConnect(connection: Connection, reasonCode: ReasonCode, why: string): void {
  const version = reasonCode === 0x84 ? 5 : versionOf(connection)
  if (version === undefined) return connection.finish(why)
  connection.protocolVersion = version
  const told = version === 5 ? reasonCode !== 0x81 || speaksItsFault(connection) : reasonCode === 0x85
  if (told) refuse(connection, reasonCode, why)
  else connection.finish(why)
}

function isConnect(connection: Connection): boolean {
  const { bytes, start, end } = connection.frames
  return end > start && bytes[start]! >> 4 === CONNECT
}

const NAMES: readonly (readonly [beginning: Buffer, version: 3 | 4 | 5])[] = [
  [Buffer.from('\0\x06MQIsdp\x03'), 3],
  [Buffer.from('\0\x04MQTT\x04'), 4],
  [Buffer.from('\0\x04MQTT\x05'), 5],
]

/** The version that a CONNECT names, however wrong the rest of it is. */
function versionOf(connection: Connection): 3 | 4 | 5 | undefined {
  const { bytes, bodyStart, end } = connection.frames
  for (const [beginning, version] of NAMES) {
    const stop = bodyStart + beginning.length
    if (stop <= end && beginning.equals(bytes.subarray(bodyStart, stop))) return version
  }
  return undefined
}

/** Says whether a malformed CONNECT of 5.0 is whole but for its properties, or for bytes behind its end. */
function speaksItsFault(connection: Connection): boolean {
  const { bytes, start, bodyStart, end } = connection.frames
  const reader = new Reader(true)
  reader.reset(bytes, bodyStart + 7, end)
  try {
    const flags = reader.byte('Connect Flags')
    if ((bytes[start]! & 15) !== 0 || !plausible(flags)) return false
    reader.uint16('Keep Alive')
    if (!readable(reader, 'CONNECT')) return true
    reader.binary('Client Identifier')
    if ((flags & 4) !== 0) {
      if (!readable(reader, 'WILL')) return true
      reader.binary('Will Topic')
      reader.binary('Will Payload')
    }
    if ((flags & 0x80) !== 0) reader.binary('User Name')
    if ((flags & 0x40) !== 0) reader.binary('Password')
    return reader.remaining > 0
  } catch {
    return false // a field is missing
  }
}

function plausible(flags: number): boolean {
  return (flags & 1) === 0 && ((flags & 4) !== 0 ? (flags & 0x18) !== 0x18 : (flags & 0x38) === 0)
}

function readable(reader: Reader, place: 'CONNECT' | 'WILL'): boolean {
  if (reader.remaining === 0) throw new MalformedPacketError(`CONNECT: no properties of ${place}`)
  try {
    readProperties(reader, place)
    return true
  } catch {
    return false
  }
}
