import type { QoS, ReasonCode, Subscribe, Subscription } from '@pipit/protocol'
import type { Broker } from '../broker.ts'
import type { Connection } from '../connection.ts'
import { isPromise } from '../hooks.ts'
import type { Session } from '../sessions/session.ts'
import type { SubscriptionState } from '../sessions/subscription.ts'
import { type Before, standing, subscribe, takeBack } from './subscriptions.ts'

/** @see MQTT 5.0, 3.8.4 */
export function handleSubscribe(connection: Connection, session: Session, said: Subscribe): void {
  const { mount } = connection
  const packet = mount === undefined ? said : mount.subscribe(said)
  if (connection.isLocal) {
    const wanted = packet.subscriptions.map(({ qos }) => qos)
    return grant(connection, session, packet, wanted)
  }
  const { permissions } = connection.broker
  const { generation } = permissions
  const permitted = packet.subscriptions.map((wanted) =>
    mount?.breaks(wanted.topicFilter) === true
      ? 0x8f
      : permissions.maySubscribe(session, connection.hookClient, wanted),
  )
  if (!permitted.some(isPromise)) return grant(connection, session, packet, permitted as ReasonCode[])
  const answers = Promise.all(permitted)
  connection.suspend(
    answers.then((codes) => {
      // The rules that were asked may be no longer in force.
      if (permissions.generation !== generation) handleSubscribe(connection, session, said)
      else grant(connection, session, packet, codes)
    }),
  )
}

/** @param permitted the QoS that may be granted, or the code of a refusal, for each subscription */
function grant(
  connection: Connection,
  session: Session,
  packet: Subscribe,
  permitted: readonly ReasonCode[],
): void {
  const { broker, protocolVersion } = connection
  if (connection.closed) return
  const identifier = packet.properties?.subscriptionIdentifiers?.[0] ?? 0
  const replays: SubscriptionState[] = []
  const before: Before[] = []
  const reasonCodes = packet.subscriptions.map((wanted, i): ReasonCode => {
    const refusal = refusalOf(broker, session, wanted, permitted[i]!)
    if (refusal !== 0) return protocolVersion === 5 ? refusal : 0x80
    const qos = Math.min(permitted[i]!, connection.maximumQoS) as QoS
    const was = standing(session, wanted.topicFilter)
    before.push(was)
    const subscription = subscribe(broker, session, asWanted(connection, wanted, qos), identifier)
    if (isReplayed(wanted, was, subscription)) replays.push(subscription)
    return qos
  })
  const answer = (codes: readonly ReasonCode[]): void => {
    if (!connection.closed) connection.send({ type: 'SUBACK', packetId: packet.packetId, reasonCodes: codes })
  }
  const granted = (): void => {
    answer(reasonCodes)
    for (const subscription of connection.closed ? [] : replays)
      broker.retained.replay(connection, subscription)
  }
  if (before.length === 0) return granted()
  broker.whenCommitted(session, granted, () => {
    for (const each of before.toReversed()) takeBack(broker, session, each)
    answer(reasonCodes.map((code) => (code < 0x80 ? (protocolVersion === 5 ? 0x97 : 0x80) : code)))
  })
}

/** A bridge that says so is not sent what it publishes, and gets the RETAIN flag as it was: in MQTT 3 it cannot ask
 *  for either. Mosquitto does the same. */
function asWanted(connection: Connection, wanted: Subscription, qos: QoS): Subscription {
  return connection.isBridge ? { ...wanted, qos, noLocal: true, retainAsPublished: true } : { ...wanted, qos }
}

/** The code with which a subscription is refused; 0: it is not. */
function refusalOf(
  broker: Broker,
  session: Session,
  wanted: Subscription,
  permitted: ReasonCode,
): ReasonCode {
  if (permitted >= 0x80) return permitted
  const refusal = broker.permissions.refusesSubscription(session, wanted)
  if (refusal !== 0) return refusal
  // What the session could not remember is not there at all.
  return broker.cannotKeep(session) ? 0x97 : 0
}

/** Says whether retained messages are to be sent: never for shared subscriptions (4.8.2). */
function isReplayed(wanted: Subscription, before: Before, { group }: SubscriptionState): boolean {
  const handling = wanted.retainHandling ?? 0
  if (group !== undefined || handling === 2) return false
  return handling === 0 || before.subscription === undefined
}
