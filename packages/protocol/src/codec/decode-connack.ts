import { MalformedPacketError, ProtocolError } from '../errors.ts'
import { readReasonCode } from './fields.ts'
import { NO_PROPERTIES } from './no-properties.ts'
import type { Connack, ProtocolVersion } from './packets.ts'
import { readProperties } from './properties.ts'
import type { ConnackProperties } from './property-table.ts'
import type { Reader } from './reader.ts'
import { reasonCodeForReturnCode } from './return-codes.ts'

export function decodeConnack(reader: Reader, version: ProtocolVersion): Connack {
  const flags = reader.byte('Connect Acknowledge Flags')
  if (flags > 1) throw new MalformedPacketError('CONNACK: reserved flags are set [MQTT-3.2.2-1]')
  const sessionPresent = flags === 1
  let reasonCode: number
  let properties: ConnackProperties = NO_PROPERTIES
  if (version < 5) reasonCode = readReturnCode(reader)
  else if (isOldRefusal(reader)) reasonCode = reasonCodeForReturnCode(reader.byte('Connect Return Code'))
  else {
    reasonCode = readReasonCode(reader, 'CONNACK')
    properties = readProperties(reader, 'CONNACK')
  }
  if (sessionPresent && reasonCode !== 0) {
    throw new ProtocolError('CONNACK: Session Present in a refusal [MQTT-3.2.2-6]')
  }
  return { type: 'CONNACK', sessionPresent, reasonCode, properties }
}

function readReturnCode(reader: Reader): number {
  const code = reader.byte('Connect Return Code')
  if (code > 5) throw new ProtocolError(`CONNACK: return code ${code}; 0 to 5 exist`)
  return code
}

/** A server that knows no 5.0 refuses in the form of 3.1.1: a return code from 1 to 5 and nothing behind it. */
function isOldRefusal(reader: Reader): boolean {
  if (reader.remaining !== 1) return false
  const code = reader.bytes[reader.offset]!
  return code >= 1 && code <= 5
}
