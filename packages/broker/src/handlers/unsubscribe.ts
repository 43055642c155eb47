import type { ReasonCode, Unsubscribe } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { Session } from '../sessions/session.ts'
import { type Before, standing, takeBack, unsubscribe } from './subscriptions.ts'

/** A subscription that the disk cannot forget now stays, and 5.0 is told so with 0x83. UNSUBACK of 3.x cannot say it:
 *  there the subscription is gone, and UNSUBACK comes when the disk knows.
 *  @see MQTT 5.0, 3.10.4 */
export function handleUnsubscribe(connection: Connection, session: Session, said: Unsubscribe): void {
  const { broker, protocolVersion, mount } = connection
  const packet = mount === undefined ? said : mount.unsubscribe(said)
  const canRefuse = protocolVersion === 5
  const refused = canRefuse && broker.cannotKeep(session)
  const before: Before[] = []
  const reasonCodes = packet.topicFilters.map((filter): ReasonCode => {
    const known = session.subscriptions?.has(filter) === true
    if (!known) return 0x11
    if (refused) return 0x83
    before.push(standing(session, filter))
    unsubscribe(broker, session, filter)
    return 0
  })
  const answer = (codes: readonly ReasonCode[]): void => {
    if (connection.closed) return
    connection.send({ type: 'UNSUBACK', packetId: packet.packetId, reasonCodes: codes })
  }
  if (before.length === 0) return answer(reasonCodes)
  const failed = (): void => {
    for (const each of before.toReversed()) takeBack(broker, session, each)
    answer(reasonCodes.map((code) => (code === 0 ? 0x83 : code)))
  }
  broker.whenCommitted(session, () => answer(reasonCodes), canRefuse ? failed : undefined)
}
