import type { QoS } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { Session } from '../sessions/session.ts'
import type { SubscriptionState } from '../sessions/subscription.ts'
import type { Durability } from '../storage/journal.ts'
import { FanOut } from './fan-out.ts'
import type { SharedGroup } from './shared.ts'
import type { TopicEntry } from './topic-table.ts'

/** From so many receivers on, they share one buffer (bench/broker fan100: 8 is where it pays). */
const SHARED_FROM = 8

/** All of a session's subscriptions that match one topic, taken together: it gets one copy [MQTT-3.3.4-4]. */
export class Target {
  readonly session: Session
  /** The highest granted [MQTT-3.3.4-2]. */
  qos: QoS
  retainAsPublished: boolean
  identifiers: number[] | undefined
  /** The parts, when any of them is No Local: for the publisher itself they count one by one. */
  parts: SubscriptionState[] | undefined

  constructor(subscription: SubscriptionState) {
    this.session = subscription.session
    this.qos = subscription.qos
    this.retainAsPublished = subscription.retainAsPublished
    this.identifiers = subscription.identifier > 0 ? [subscription.identifier] : undefined
    this.parts = subscription.noLocal ? [subscription] : undefined
  }

  merge(subscription: SubscriptionState, all: readonly SubscriptionState[]): void {
    if (subscription.qos > this.qos) this.qos = subscription.qos
    if (subscription.retainAsPublished) this.retainAsPublished = true
    if (subscription.identifier > 0) {
      this.identifiers ??= []
      this.identifiers.push(subscription.identifier)
    }
    if (subscription.noLocal || this.parts !== undefined) {
      this.parts = all.filter((each) => each.session === this.session)
    }
  }
}

/** Where messages on one topic go, worked out once and kept until subscriptions or connections change.
 *  What every message looks at comes first: with 100,000 topics in turn it is read from memory, not from a cache. */
export class Route {
  /** Of the router, when this was worked out. */
  generation = -1
  /** The receiver that takes a QoS 0 frame of 3.x, or of 5.0, byte by byte as it came, when it is the only one. */
  only4: Connection | undefined = undefined
  only5: Connection | undefined = undefined
  /** Receivers that take it in another form: of a frame of 3.x, or of 5.0. */
  others4: Target[] = NO_TARGETS
  others5: Target[] = NO_TARGETS
  groups: SharedGroup[] = NO_GROUPS
  /** What any client may do here, where all may do the same. */
  anyones: TopicEntry | undefined = undefined
  readonly topic: string
  /** All receivers that take it as it came. */
  direct4: Connection[] = NO_CONNECTIONS
  direct5: Connection[] = NO_CONNECTIONS
  fan4: FanOut | undefined = undefined
  fan5: FanOut | undefined = undefined
  targets: Target[] = NO_TARGETS
  /** The topic as UTF-8; set when the route is kept. */
  bytes: Uint8Array = NO_BYTES
  /** What is published here is kept in memory only, or its acknowledgement does not wait for the disk. */
  durability: Durability

  constructor(topic: string, durability: Durability) {
    this.topic = topic
    this.durability = durability
  }

  /** Makes ready to be found by the bytes of the topic. */
  keep(): void {
    this.bytes = Buffer.from(this.topic)
  }

  /** Works out the receivers anew. */
  refresh(
    subscriptions: readonly SubscriptionState[],
    groups: SharedGroup[],
    generation: number,
    upgradeQoS: boolean,
  ): void {
    this.generation = generation
    this.groups = groups
    this.targets = merged(subscriptions)
    this.direct4 = this.direct5 = NO_CONNECTIONS
    this.others4 = this.others5 = NO_TARGETS
    for (const target of this.targets) this.sort(target, upgradeQoS && target.qos > 0)
    this.only4 = this.direct4.length === 1 ? this.direct4[0] : undefined
    this.only5 = this.direct5.length === 1 ? this.direct5[0] : undefined
    this.fan4 = this.direct4.length >= SHARED_FROM ? new FanOut(this.topic, this.direct4) : undefined
    this.fan5 = this.direct5.length >= SHARED_FROM ? new FanOut(this.topic, this.direct5) : undefined
  }

  /** Says whether someone will need a message at `qos` after a crash. */
  needsDisk(qos: number): boolean {
    if (this.durability === 'off' || qos === 0) return false
    return (
      this.targets.some((target) => target.session.storeId !== 0 && target.qos > 0) ||
      this.groups.some((group) => group.members.some((member) => member.session.storeId !== 0))
    )
  }

  get empty(): boolean {
    return this.targets.length === 0 && this.groups.length === 0
  }

  /** @param isUpgraded what is published at QoS 0 goes out at another */
  private sort(target: Target, isUpgraded: boolean): void {
    const { connection, holdsQoS0 } = target.session
    if (connection === undefined || holdsQoS0) {
      if (isUpgraded || holdsQoS0) this.addOther(target)
      return // otherwise QoS 0 is not kept for who is away
    }
    const plain =
      target.identifiers === undefined && target.parts === undefined && !isUpgraded && connection.isPlain
    const is5 = connection.wireVersion === 5
    if (plain && !is5) this.direct4 = added(this.direct4, NO_CONNECTIONS, connection)
    else this.others4 = added(this.others4, NO_TARGETS, target)
    if (plain && is5) this.direct5 = added(this.direct5, NO_CONNECTIONS, connection)
    else this.others5 = added(this.others5, NO_TARGETS, target)
  }

  /** A receiver that takes no frame as it came. */
  private addOther(target: Target): void {
    this.others4 = added(this.others4, NO_TARGETS, target)
    this.others5 = added(this.others5, NO_TARGETS, target)
  }
}

/** Most of a route's lists are empty, and there may be 100,000 routes: the empty ones are one. */
const NO_BYTES = new Uint8Array(0)
const NO_TARGETS: Target[] = []
const NO_GROUPS: SharedGroup[] = []
const NO_CONNECTIONS: Connection[] = []

function added<T>(list: T[], none: T[], item: T): T[] {
  if (list === none) return [item]
  list.push(item)
  return list
}

function merged(subscriptions: readonly SubscriptionState[]): Target[] {
  if (subscriptions.length === 0) return NO_TARGETS
  if (subscriptions.length === 1) return [new Target(subscriptions[0]!)]
  const bySession = new Map<Session, Target>()
  for (const subscription of subscriptions) {
    const target = bySession.get(subscription.session)
    if (target === undefined) bySession.set(subscription.session, new Target(subscription))
    else target.merge(subscription, subscriptions)
  }
  return [...bySession.values()]
}
