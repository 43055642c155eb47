import {
  type Connack,
  type Connect,
  type ConnectProperties,
  ProtocolError,
  type ProtocolVersion,
  reasonCodeForReturnCode,
} from '@pipit/protocol'
import type { Authentication } from './authentication.ts'
import { describeReason } from './describe-reason.ts'
import { ConnectionRefusedError } from './errors.ts'
import type { Settings } from './options.ts'
import type { PacketTransport } from './transport/packet-transport.ts'

export interface Login {
  readonly username: string | undefined
  readonly password: Uint8Array | undefined
}

export function connectPacket(
  settings: Settings,
  protocolVersion: ProtocolVersion,
  clientId: string,
  cleanStart: boolean,
  bridge: boolean,
  login: Login,
  properties: ConnectProperties,
): Connect {
  return {
    type: 'CONNECT',
    protocolVersion,
    bridge,
    clientId,
    cleanStart,
    keepAlive: settings.keepAlive,
    username: login.username ?? (protocolVersion < 5 && login.password !== undefined ? '' : undefined),
    password: login.password,
    will: settings.will,
    properties: protocolVersion === 5 ? properties : undefined,
  }
}

/** Sends CONNECT and waits for CONNACK.
 *  @throws ConnectionRefusedError; ConnectionLostError; ProtocolError for any other answer
 *  @see MQTT 5.0, 3.1.4 and 3.2 */
export async function handshake(
  transport: PacketTransport,
  connect: Connect,
  authentication: Authentication | undefined,
): Promise<Connack> {
  transport.writePacket(connect)
  for (;;) {
    const packet = await transport.readPacket()
    if (packet.type === 'AUTH' && authentication !== undefined && packet.reasonCode === 0x18) {
      transport.writePacket(await authentication.answer(packet))
    } else if (packet.type === 'CONNACK') {
      checkConnack(packet, connect)
      await authentication?.finish(packet.properties)
      return packet
    } else throw new ProtocolError(`${packet.type} before CONNACK [MQTT-3.2.0-1]`)
  }
}

function checkConnack(connack: Connack, connect: Connect): void {
  const { reasonCode, properties } = connack
  if (reasonCode !== 0) {
    // Below 0x80 it can only be a return code of MQTT 3.
    const code = reasonCode < 0x80 ? reasonCodeForReturnCode(reasonCode) : (reasonCode as 0x80)
    const reason = describeReason(code, properties?.reasonString)
    throw new ConnectionRefusedError(`the server refused the connection: ${reason}`, code, properties)
  }
  if (connack.sessionPresent && connect.cleanStart) {
    throw new ProtocolError('CONNACK: sessionPresent; CONNECT said cleanStart [MQTT-3.2.2-2]')
  }
}
