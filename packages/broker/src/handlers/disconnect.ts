import { type Disconnect, ProtocolError } from '@pipit/protocol'
import type { Connection } from '../connection.ts'

/** @see MQTT 5.0, 3.14.4 */
export function handleDisconnect(connection: Connection, packet: Disconnect): void {
  const session = connection.session!
  const expiry = packet.properties?.sessionExpiryInterval
  if (expiry !== undefined) {
    if (session.expiryInterval === 0 && expiry > 0) {
      throw new ProtocolError('DISCONNECT: Session Expiry Interval was 0 in CONNECT and cannot be set now')
    }
    session.expiryInterval = Math.min(expiry, connection.broker.limits.sessionExpiryInterval)
  }
  // Any other code than 0 leaves the will in place: 0x04 asks for it.
  if (packet.reasonCode === 0) connection.will = undefined // [MQTT-3.14.4-3]
  connection.leave()
}
