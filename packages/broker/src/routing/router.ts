import { parseSharedFilter, SubscriptionIndex } from '@pipit/protocol'
import type { Session } from '../sessions/session.ts'
import type { SubscriptionState } from '../sessions/subscription.ts'
import type { Durability } from '../storage/journal.ts'
import { Route } from './route.ts'
import { RouteTable } from './route-table.ts'
import { SharedGroup, type SharedStrategy } from './shared.ts'

/** Topics whose route is remembered. */
const ROUTES = 250_000

/** Topics remembered as seen once; a power of two. */
const SEEN = 65_536

/** Knows who subscribed to what, and where each topic goes.
 *  Routes are kept by topic and worked out anew after subscriptions or connections changed. */
export class Router {
  /** Grows when a route may have become wrong. */
  generation = 0
  /** Says which sessions get messages of a topic; undefined: all that are subscribed. */
  mayReceive: ((session: Session, topic: string) => boolean) | undefined = undefined
  /** Messages at QoS 0 wait, too, for a session whose client is away. */
  queueQoS0 = false
  /** Messages go out at the QoS of the subscription, also where they were published at a lower one. */
  upgradeQoS = false
  private readonly index = new SubscriptionIndex<SubscriptionState>()
  private readonly groupIndex = new SubscriptionIndex<SharedGroup>()
  private readonly groups = new Map<string, SharedGroup>()
  private readonly routes = new Map<string, Route>()
  private readonly table = new RouteTable()
  /** Hashes of topics seen once. */
  private readonly seen = new Uint32Array(SEEN)
  private readonly strategy: SharedStrategy
  private readonly durabilityOf: (topic: string) => Durability

  constructor(strategy: SharedStrategy, durabilityOf: (topic: string) => Durability) {
    this.strategy = strategy
    this.durabilityOf = durabilityOf
  }

  /** Subscriptions held, shared ones included. */
  get subscriptions(): number {
    return this.index.size + this.sharedSubscriptions
  }

  get sharedSubscriptions(): number {
    let shared = 0
    for (const group of this.groups.values()) shared += group.members.length
    return shared
  }

  /** Where messages on `topic` go now. */
  route(topic: string): Route {
    let route = this.routes.get(topic)
    if (route === undefined) {
      if (this.routes.size >= ROUTES) {
        this.routes.clear()
        this.table.clear()
      }
      route = new Route(topic, this.durabilityOf(topic))
      route.keep()
      this.routes.set(topic, route)
      this.table.add(route, route.bytes)
    }
    if (route.generation !== this.generation) this.refresh(route)
    return route
  }

  /** The route of a topic that is not known: it is kept only when the topic has come before. One that comes
   *  once is not worth what keeping it costs: a fifth of the time (bench/routing).
   *  @param hash of the topic's bytes */
  visit(topic: string, hash: number): Route {
    const { seen } = this
    const slot = hash & (seen.length - 1)
    // Two places: of two topics that come in turn and share one, both are remembered.
    if (seen[slot] === hash || seen[slot ^ 1] === hash) return this.route(topic)
    seen[slot ^ 1] = seen[slot]!
    seen[slot] = hash
    const route = new Route(topic, this.durabilityOf(topic))
    this.refresh(route)
    return route
  }

  /** The route of the topic in these bytes, if it is known; it may be out of date. */
  known(bytes: Uint8Array, start: number, length: number, hash: number): Route | undefined {
    return this.table.find(bytes, start, length, hash)
  }

  /** Brings a route that someone kept up to date. */
  refresh(route: Route): void {
    const groups = this.groups.size === 0 ? NO_GROUPS : this.groupIndex.match(route.topic, [])
    let subscriptions = this.index.match(route.topic, [])
    const { mayReceive } = this
    if (mayReceive !== undefined) {
      subscriptions = subscriptions.filter(({ session }) => mayReceive(session, route.topic))
    }
    route.refresh(subscriptions, groups, this.generation, this.upgradeQoS)
  }

  add(subscription: SubscriptionState): void {
    this.generation++
    const { group } = subscription
    if (group === undefined) this.index.add(subscription.topicFilter, subscription)
    else group.add(subscription)
  }

  remove(subscription: SubscriptionState): void {
    this.generation++
    const { group } = subscription
    if (group === undefined) this.index.remove(subscription.topicFilter, subscription)
    else {
      group.remove(subscription)
      if (group.members.length === 0) this.dropGroup(subscription.topicFilter, group)
    }
  }

  /** A session's connection came, went or changed: routes know connections. */
  changed(): void {
    this.generation++
  }

  /** The shared subscription that a filter names, made when it is the first; undefined for an ordinary filter. */
  groupFor(filter: string): SharedGroup | undefined {
    const shared = parseSharedFilter(filter)
    if (shared === undefined) return undefined
    let group = this.groups.get(filter)
    if (group === undefined) {
      group = new SharedGroup(shared.shareName, shared.topicFilter, this.strategy)
      this.groups.set(filter, group)
      this.groupIndex.add(shared.topicFilter, group)
    }
    return group
  }

  private dropGroup(filter: string, group: SharedGroup): void {
    this.groups.delete(filter)
    this.groupIndex.remove(group.topicFilter, group)
  }
}

const NO_GROUPS: SharedGroup[] = []
