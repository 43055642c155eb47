import type { ReasonCode, Subscribe, Subscription } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import { isPromise } from '../hooks.ts'
import type { Session } from '../sessions/session.ts'
import { SubscriptionState } from '../sessions/subscription.ts'

/** @see MQTT 5.0, 3.8.4 */
export function handleSubscribe(connection: Connection, session: Session, packet: Subscribe): void {
  if (connection.isLocal) {
    const wanted = packet.subscriptions.map(({ qos }) => qos)
    return grant(connection, session, packet, wanted)
  }
  const { permissions } = connection.broker
  const permitted = packet.subscriptions.map((wanted) =>
    permissions.maySubscribe(session, connection.hookClient, wanted),
  )
  if (!permitted.some(isPromise)) return grant(connection, session, packet, permitted as ReasonCode[])
  const answers = Promise.all(permitted)
  connection.suspend(answers.then((codes) => grant(connection, session, packet, codes)))
}

/** @param permitted the QoS that may be granted, or the code of a refusal, for each subscription */
function grant(
  connection: Connection,
  session: Session,
  packet: Subscribe,
  permitted: readonly ReasonCode[],
): void {
  const { broker } = connection
  if (connection.closed) return
  const identifier = packet.properties?.subscriptionIdentifiers?.[0] ?? 0
  const reasonCodes: ReasonCode[] = []
  const replays: SubscriptionState[] = []
  for (const [i, wanted] of packet.subscriptions.entries()) {
    const code = permitted[i]!
    const refusal = code >= 0x80 ? code : broker.permissions.refusesSubscription(session, wanted)
    if (refusal !== 0) {
      reasonCodes.push(connection.protocolVersion === 5 ? refusal : 0x80)
      continue
    }
    const granted = Math.min(code, broker.maximumQoS) as 0 | 1 | 2
    const replay = subscribe(connection, session, { ...wanted, qos: granted }, identifier)
    if (replay !== undefined) replays.push(replay)
    reasonCodes.push(granted)
  }
  broker.whenCommitted(session, () => {
    if (connection.closed) return
    connection.send({ type: 'SUBACK', packetId: packet.packetId, reasonCodes })
    for (const subscription of replays) broker.retained.replay(connection, subscription)
  })
}

/** Makes or replaces a subscription; gives it when its retained messages are to be sent. */
function subscribe(
  connection: Connection,
  session: Session,
  wanted: Subscription,
  identifier: number,
): SubscriptionState | undefined {
  const { router } = connection.broker
  session.subscriptions ??= new Map()
  const known = session.subscriptions.get(wanted.topicFilter)
  let subscription = known
  if (subscription === undefined) {
    subscription = new SubscriptionState(session, wanted, identifier, router.groupFor(wanted.topicFilter))
    session.subscriptions.set(wanted.topicFilter, subscription)
    router.add(subscription)
  } else {
    subscription.replace(wanted, identifier)
    router.changed()
  }
  connection.broker.journal?.subscribed(subscription)
  if (subscription.group !== undefined) return undefined // never for shared subscriptions (4.8.2)
  const handling = wanted.retainHandling ?? 0
  if (handling === 2 || (handling === 1 && known !== undefined)) return undefined
  return subscription
}
