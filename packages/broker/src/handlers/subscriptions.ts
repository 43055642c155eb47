import type { Subscription } from '@pipit/protocol'
import type { Broker } from '../broker.ts'
import type { Session } from '../sessions/session.ts'
import { SubscriptionState } from '../sessions/subscription.ts'

/** What a subscription was before it changed; undefined: there was none. */
export interface Before {
  readonly topicFilter: string
  readonly subscription: { readonly wanted: Subscription; readonly identifier: number } | undefined
}

/** How a session's subscription with this filter stands. */
export function standing(session: Session, topicFilter: string): Before {
  const known = session.subscriptions?.get(topicFilter)
  if (known === undefined) return { topicFilter, subscription: undefined }
  const { qos, noLocal, retainAsPublished, identifier } = known
  return {
    topicFilter,
    subscription: { wanted: { topicFilter, qos, noLocal, retainAsPublished }, identifier },
  }
}

/** Makes a subscription, or gives the one with this filter other options [MQTT-3.8.4-3]. */
export function subscribe(
  { router, journal }: Broker,
  session: Session,
  wanted: Subscription,
  identifier: number,
): SubscriptionState {
  session.subscriptions ??= new Map()
  let subscription = session.subscriptions.get(wanted.topicFilter)
  if (subscription === undefined) {
    subscription = new SubscriptionState(session, wanted, identifier, router.groupFor(wanted.topicFilter))
    session.subscriptions.set(wanted.topicFilter, subscription)
    router.add(subscription)
  } else {
    subscription.replace(wanted, identifier)
    router.changed()
  }
  journal?.subscribed(subscription)
  return subscription
}

/** Ends a subscription; false when there is none. */
export function unsubscribe(
  { router, retained, journal }: Broker,
  session: Session,
  topicFilter: string,
): boolean {
  const known = session.subscriptions?.get(topicFilter)
  if (known === undefined) return false
  session.subscriptions!.delete(topicFilter)
  router.remove(known)
  retained.cancel(known)
  journal?.unsubscribed(session, topicFilter)
  return true
}

/** The disk could not keep a change: the subscription is what it was before. */
export function takeBack(broker: Broker, session: Session, { topicFilter, subscription }: Before): void {
  if (broker.sessions.get(session.clientId) !== session) return // it has ended
  if (subscription === undefined) unsubscribe(broker, session, topicFilter)
  else subscribe(broker, session, subscription.wanted, subscription.identifier)
}
