import { parseSharedFilter, type RetainHandling, type Subscription, SubscriptionIndex } from '@pipit/protocol'
import type { Identifiers } from './identifiers.ts'
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
  private readonly identifiers: Identifiers | undefined
  /** Receivers by topic, for messages without Subscription Identifier. */
  private readonly routes = new Map<string, readonly Sink[]>()

  constructor(identifiers: Identifiers | undefined) {
    this.identifiers = identifiers
  }

  get(filter: string): Entry | undefined {
    return this.entries.get(filter)
  }

  all(): Entry[] {
    return [...this.entries.values()]
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
    this.identifiers?.assign(entry, identifier)
    return entry
  }

  remove(entry: Entry): void {
    if (this.entries.get(entry.filter) !== entry) return
    this.routes.clear()
    this.entries.delete(entry.filter)
    this.index.remove(entry.matching, entry)
    this.identifiers?.forget(entry)
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
    if (identifiers !== undefined && this.identifiers !== undefined) {
      const found = this.routeByIdentifier(this.identifiers, identifiers, message.topic)
      if (found !== undefined) return found
    }
    const known = this.routes.get(message.topic)
    if (known !== undefined) return known
    const sinks = this.collect(this.index.match(message.topic, []))
    if (this.routes.size >= ROUTES) this.routes.clear()
    this.routes.set(message.topic, sinks)
    return sinks
  }

  private routeByIdentifier(
    known: Identifiers,
    identifiers: readonly number[],
    topic: string,
  ): readonly Sink[] | undefined {
    const only = this.everyone.length === 0 ? known.only(identifiers) : undefined
    if (only !== undefined) return [...only.sinks]
    const found = known.match(identifiers, topic)
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
