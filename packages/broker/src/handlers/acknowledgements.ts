import { AWAITING_PUBCOMP, type Puback, type Pubcomp, type Pubrec, type Pubrel } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { Delivery } from '../routing/delivery.ts'
import type { Session } from '../sessions/session.ts'

/** Takes the PUBACK in the current frame by its bytes when it is one of success and nothing besides.
 *  @returns false when it has to be decoded */
export function handlePlainPuback(connection: Connection, session: Session): boolean {
  const { bytes, bodyStart, end } = connection.frames
  if (end - bodyStart !== 2) return false
  const packetId = (bytes[bodyStart]! << 8) | bytes[bodyStart + 1]!
  if (packetId === 0) return false
  acknowledged(connection, session, packetId, true)
  return true
}

/** @see MQTT 5.0, 4.3.2 */
export function handlePuback(connection: Connection, session: Session, packet: Puback): void {
  acknowledged(connection, session, packet.packetId, packet.reasonCode < 0x80)
}

function acknowledged(connection: Connection, session: Session, packetId: number, isTaken: boolean): void {
  const delivery = session.outbound.puback(packetId)
  if (delivery === undefined) return
  if (isTaken) connection.broker.delivered(connection, delivery)
  settled(connection, session, delivery)
}

/** @see MQTT 5.0, 4.3.3 */
export function handlePubrec(connection: Connection, session: Session, packet: Pubrec): void {
  const { packetId, reasonCode } = packet
  const delivery = session.outbound.pubrec(packetId, reasonCode)
  if (reasonCode >= 0x80) {
    if (delivery !== undefined) settled(connection, session, delivery)
    return
  }
  const { journal } = connection.broker
  if (delivery === undefined || delivery.reference === 0 || journal === undefined) {
    return connection.acknowledge(0x62, packetId, delivery === undefined ? 0x92 : 0)
  }
  // Once the receiver has PUBREL it takes this identifier for a new message: we must not forget that it was sent.
  journal.state(delivery, AWAITING_PUBCOMP, packetId)
  journal.acknowledge(connection, 0x62, packetId, 0, false)
}

/** A QoS 2 message is published when it is released: from here on it cannot come a second time. */
export function handlePubrel(connection: Connection, session: Session, packet: Pubrel): void {
  const { packetId } = packet
  const message = session.inbound.message(packetId)
  const { broker } = connection
  const known = session.inbound.pubrel(packetId)
  // PUBREL may come again while what the first one did is not safe yet: then PUBCOMP waits for that.
  const before = session.storeId === 0 ? broker.journal?.records : undefined
  if (message !== undefined) broker.distributor.release(message)
  if (known) broker.journal?.released(session, packetId, message)
  // 0x00 also where nothing waited: that is no error (3.7.2.1), and what other brokers' clients have seen.
  if (broker.journal === undefined) return connection.acknowledge(0x70, packetId, 0)
  const always = message !== undefined && broker.router.route(message.topic).durability === 'always'
  broker.acknowledge(connection, 0x70, packetId, 0, before, always)
}

export function handlePubcomp(connection: Connection, session: Session, packet: Pubcomp): void {
  const delivery = session.outbound.pubcomp(packet.packetId)
  if (delivery === undefined) return
  connection.broker.delivered(connection, delivery)
  settled(connection, session, delivery)
}

function settled(connection: Connection, session: Session, delivery: Delivery): void {
  session.acknowledged(delivery)
  connection.hasRoom = true
}
