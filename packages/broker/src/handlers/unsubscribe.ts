import type { ReasonCode, Unsubscribe } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { Session } from '../sessions/session.ts'

/** @see MQTT 5.0, 3.10.4 */
export function handleUnsubscribe(connection: Connection, session: Session, packet: Unsubscribe): void {
  const reasonCodes: ReasonCode[] = []
  for (const filter of packet.topicFilters) {
    const known = session.subscriptions?.get(filter)
    reasonCodes.push(known === undefined ? 0x11 : 0)
    if (known === undefined) continue
    session.subscriptions!.delete(filter)
    connection.broker.router.remove(known)
    connection.broker.retained.cancel(known)
    connection.broker.journal?.unsubscribed(session, filter)
  }
  connection.broker.whenCommitted(session, () => {
    if (!connection.closed) connection.send({ type: 'UNSUBACK', packetId: packet.packetId, reasonCodes })
  })
}
