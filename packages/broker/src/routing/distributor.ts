import type { QoS } from '@pipit/protocol'
import type { DropReason } from '../metrics/ledger.ts'
import type { Retained } from '../retained/retained.ts'
import type { Session } from '../sessions/session.ts'
import { Delivery } from './delivery.ts'
import type { Message } from './message.ts'
import type { Target } from './route.ts'
import type { Router } from './router.ts'
import type { SharedGroup } from './shared.ts'

/** Counts a message that did not reach someone. */
export type Dropped = (clientId: string, topic: string, reason: DropReason, count?: number) => void

/** Gives messages to the sessions that are subscribed to their topic.
 *  @see MQTT 5.0, 3.3.4 and 4.5 */
export class Distributor {
  private readonly router: Router
  private readonly retained: Retained
  private readonly now: () => number
  private readonly dropped: Dropped

  constructor(router: Router, retained: Retained, now: () => number, dropped: Dropped) {
    this.router = router
    this.retained = retained
    this.now = now
    this.dropped = dropped
  }

  /** Publishes a message: retains it when it says so, and gives it to all who are subscribed.
   *  @param route of its topic, up to date
   *  @returns whether there was anyone */
  release(message: Message, route = this.router.route(message.topic)): boolean {
    if (route.durability === 'off') message.volatile = true
    if (message.retain) this.retained.store(message)
    return this.distribute(message, route.targets, route.groups)
  }

  /** Gives a message to these receivers. */
  distribute(message: Message, targets: readonly Target[], groups: readonly SharedGroup[]): boolean {
    const now = this.now()
    let any = groups.length > 0
    for (let i = 0; i < targets.length; i++) if (this.deliver(message, targets[i]!, now)) any = true
    for (let i = 0; i < groups.length; i++) this.deliverShared(message, groups[i]!, now)
    return any
  }

  /** Gives shared messages to other members than the one that had them. */
  redistribute(deliveries: readonly Delivery[], except: Session): void {
    const now = this.now()
    for (const { message, group } of deliveries) {
      if (group !== undefined) this.deliverShared(message, group, now, except)
    }
  }

  private deliver(message: Message, target: Target, now: number): boolean {
    const { session } = target
    let { qos, retainAsPublished, identifiers } = target
    if (target.parts !== undefined && message.publisher === session) {
      // No Local: only the subscriptions without it count [MQTT-3.8.3-3].
      const parts = target.parts.filter((part) => !part.noLocal)
      if (parts.length === 0) return false
      qos = Math.max(...parts.map((part) => part.qos)) as QoS
      retainAsPublished = parts.some((part) => part.retainAsPublished)
      const ids = parts.filter((part) => part.identifier > 0).map((part) => part.identifier)
      identifiers = ids.length > 0 ? ids : undefined
    }
    if (message.qos < qos && !this.router.upgradeQoS) qos = message.qos
    const retain = retainAsPublished && message.retain
    const plain = identifiers === undefined && !retain
    const delivery = plain
      ? message.delivery(qos)
      : new Delivery(message, qos, retain, identifiers, undefined)
    if (qos === 0) session.deliverQoS0(delivery, now)
    else session.deliver(delivery, now)
    return true
  }

  private deliverShared(message: Message, group: SharedGroup, now: number, except?: Session): void {
    const { mayReceive, upgradeQoS } = this.router
    const member = group.choose(upgradeQoS ? 2 : message.qos, except, mayReceive, message.topic)
    if (member === undefined) {
      return this.dropped(`$share/${group.shareName}`, message.topic, 'no one subscribed')
    }
    const qos = upgradeQoS ? member.qos : (Math.min(message.qos, member.qos) as QoS)
    const retain = member.retainAsPublished && message.retain
    const identifiers = member.identifier > 0 ? [member.identifier] : undefined
    const { session } = member
    if (qos > 0) {
      session.deliver(new Delivery(message, qos, retain, identifiers, group), now)
      return
    }
    const plain = !retain && identifiers === undefined
    const delivery = plain ? message.delivery(0) : new Delivery(message, 0, retain, identifiers, group)
    session.deliverQoS0(delivery, now)
  }
}
