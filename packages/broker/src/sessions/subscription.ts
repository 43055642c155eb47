import type { QoS, Subscription } from '@pipit/protocol'
import type { SharedGroup } from '../routing/shared.ts'
import type { Session } from './session.ts'

/** A subscription that a session holds. It changes in place when the client subscribes with the same filter again. */
export class SubscriptionState {
  readonly session: Session
  /** As subscribed, `$share/…` included. */
  readonly topicFilter: string
  readonly group: SharedGroup | undefined
  /** Granted. */
  qos: QoS
  noLocal: boolean
  retainAsPublished: boolean
  /** Subscription Identifier; 0: none. */
  identifier: number

  constructor(session: Session, wanted: Subscription, identifier: number, group: SharedGroup | undefined) {
    this.session = session
    this.topicFilter = wanted.topicFilter
    this.group = group
    this.qos = wanted.qos
    this.noLocal = wanted.noLocal ?? false
    this.retainAsPublished = wanted.retainAsPublished ?? false
    this.identifier = identifier
  }

  /** Takes over the options of a new SUBSCRIBE with the same filter [MQTT-3.8.4-3]. */
  replace(wanted: Subscription, identifier: number): void {
    this.qos = wanted.qos
    this.noLocal = wanted.noLocal ?? false
    this.retainAsPublished = wanted.retainAsPublished ?? false
    this.identifier = identifier
  }
}
