import {
  matches,
  parseSharedFilter,
  type RetainHandling,
  type Subscription,
  SubscriptionIndex,
} from '@pipit/protocol'
import type { Message } from './message.ts'
import type { Sink } from './sink.ts'

/** One filter that we are subscribed to, and who reads it. */
export class Entry {
  readonly filter: string
  /** What a Topic Name is compared with: the filter without `$share/{ShareName}/`. */
  readonly matching: string
  readonly sinks = new Set<Sink>()
  subscription: Subscription
  /** The Subscription Identifier it was sent with; 0: none. */
  identifier = 0
  /** The server has granted it. */
  confirmed = false
  /** It is being unsubscribed. */
  leaving = false

  constructor(subscription: Subscription) {
    this.filter = subscription.topicFilter
    this.matching = parseSharedFilter(this.filter)?.topicFilter ?? this.filter
    this.subscription = subscription
  }
}

const ROUTES = 1024

/** The filters of a session and the way from a message to its receivers. */
export class Subscriptions {
  /** Receivers of every message. */
  private everyone: readonly Sink[] = []
  private readonly entries = new Map<string, Entry>()
  private readonly index = new SubscriptionIndex<Entry>()
  private readonly byIdentifier = new Map<number, Set<Entry>>()
  private lastIdentifier = 0
  /** Receivers by topic, for messages without Subscription Identifier. */
  private readonly routes = new Map<string, readonly Sink[]>()

  get size(): number {
    return this.entries.size
  }

  get(filter: string): Entry | undefined {
    return this.entries.get(filter)
  }

  all(): Entry[] {
    return [...this.entries.values()]
  }

  /** A Subscription Identifier that no filter has. */
  newIdentifier(): number {
    do this.lastIdentifier = this.lastIdentifier === 268435455 ? 1 : this.lastIdentifier + 1
    while (this.byIdentifier.has(this.lastIdentifier))
    return this.lastIdentifier
  }

  /** Adds a reader to a filter, whose options and identifier are those of the last SUBSCRIBE. */
  add(subscription: Subscription, identifier: number, sink: Sink): Entry {
    this.routes.clear()
    let entry = this.entries.get(subscription.topicFilter)
    if (entry === undefined) {
      entry = new Entry(subscription)
      this.entries.set(entry.filter, entry)
      this.index.add(entry.matching, entry)
    }
    entry.subscription = subscription
    entry.sinks.add(sink)
    this.identify(entry, identifier)
    return entry
  }

  /** The identifier that a filter is sent with from now on. */
  identify(entry: Entry, identifier: number): void {
    this.forgetIdentifier(entry)
    entry.identifier = identifier
    if (identifier === 0) return
    const same = this.byIdentifier.get(identifier)
    if (same === undefined) this.byIdentifier.set(identifier, new Set([entry]))
    else same.add(entry)
  }

  remove(entry: Entry): void {
    if (this.entries.get(entry.filter) !== entry) return
    this.routes.clear()
    this.entries.delete(entry.filter)
    this.index.remove(entry.matching, entry)
    this.forgetIdentifier(entry)
  }

  /** Takes a reader away; gives the filters that nobody reads any more. */
  removeSink(sink: Sink): Entry[] {
    this.routes.clear()
    const unread: Entry[] = []
    for (const entry of this.entries.values()) {
      if (entry.sinks.delete(sink) && entry.sinks.size === 0) unread.push(entry)
    }
    return unread
  }

  addEveryone(sink: Sink): void {
    this.everyone = [...this.everyone, sink]
    this.routes.clear()
  }

  removeEveryone(sink: Sink): void {
    this.everyone = this.everyone.filter((other) => other !== sink)
    this.routes.clear()
  }

  /** The receivers of a message: by its Subscription Identifiers where it has some, else by its topic. */
  route(message: Message): readonly Sink[] {
    if (this.entries.size === 0) return this.everyone
    const identifiers = message.properties.subscriptionIdentifiers
    if (identifiers !== undefined) {
      const found = this.routeByIdentifier(identifiers, message.topic)
      if (found !== undefined) return found
    }
    const known = this.routes.get(message.topic)
    if (known !== undefined) return known
    const sinks = this.collect(this.index.match(message.topic, []))
    if (this.routes.size >= ROUTES) this.routes.clear()
    this.routes.set(message.topic, sinks)
    return sinks
  }

  private routeByIdentifier(identifiers: readonly number[], topic: string): readonly Sink[] | undefined {
    if (identifiers.length === 1 && this.everyone.length === 0) {
      const entries = this.byIdentifier.get(identifiers[0]!)
      if (entries === undefined) return undefined
      if (entries.size === 1) for (const entry of entries) return [...entry.sinks]
    }
    const found: Entry[] = []
    for (const identifier of identifiers) {
      const entries = this.byIdentifier.get(identifier)
      if (entries === undefined) continue
      for (const entry of entries) if (entries.size === 1 || matches(entry.matching, topic)) found.push(entry)
    }
    return found.length === 0 ? undefined : this.collect(found)
  }

  /** Receivers have changed behind the index's back. */
  changed(): void {
    this.routes.clear()
  }

  private collect(entries: readonly Entry[]): readonly Sink[] {
    const sinks = new Set<Sink>(this.everyone)
    const handled = this.everyone.length > 0
    for (const entry of entries) {
      for (const sink of entry.sinks) if (!(handled && sink.isUnread)) sinks.add(sink)
    }
    return [...sinks]
  }

  private forgetIdentifier(entry: Entry): void {
    const same = this.byIdentifier.get(entry.identifier)
    if (same === undefined) return
    same.delete(entry)
    if (same.size === 0) this.byIdentifier.delete(entry.identifier)
  }
}

/** The options of one filter as `subscribe` takes them. */
export interface FilterOptions {
  readonly qos?: 0 | 1 | 2
  /** Do not send us what we publish ourselves (MQTT 5.0). */
  readonly noLocal?: boolean
  /** Keep the RETAIN flag as it was published (MQTT 5.0). */
  readonly retainAsPublished?: boolean
  /** 0: send retained messages; 1: only if the subscription is new; 2: none (MQTT 5.0). */
  readonly retainHandling?: RetainHandling
}

/** Says whether some topic may match both filters, shared ones by what they share. */
export function overlap(one: string, other: string): boolean {
  const a = (parseSharedFilter(one)?.topicFilter ?? one).split('/')
  const b = (parseSharedFilter(other)?.topicFilter ?? other).split('/')
  for (let i = 0; ; i++) {
    const left = a[i]
    const right = b[i]
    if (left === '#' || right === '#') return true
    if (left === undefined || right === undefined) {
      // `a/#` matches `a` as well.
      return left === right || (left ?? right) === '#'
    }
    if (left !== right && left !== '+' && right !== '+') return false
  }
}
