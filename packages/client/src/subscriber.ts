import {
  checkTopicFilter,
  type QoS,
  type ReasonCode,
  type ReasonProperties,
  type Suback,
  type Subscription,
} from '@pipit/protocol'
import { ConnectionLostError } from './errors.ts'
import type { Identifiers } from './identifiers.ts'
import type { Link } from './link.ts'
import type { Message } from './message.ts'
import { Messages } from './messages.ts'
import type { Platform } from './platform.ts'
import { Request, type Requests } from './requests.ts'
import type { Sink } from './sink.ts'
import {
  refused,
  type SubscribeOptions,
  type SubscriptionRequest,
  subscribePacket,
  subscriptionsOf,
  type UnsubscribeOptions,
  unsubscribeRequest,
} from './subscribe-requests.ts'
import { type Entry, Subscriptions } from './subscriptions.ts'
import { watch } from './watch.ts'

export interface UnsubscribeResult {
  /** The server's answer for each filter; Success where MQTT 3 gives none. */
  readonly reasonCodes: ReadonlyMap<string, ReasonCode>
  readonly properties: ReasonProperties
}

/** What became of a SUBSCRIBE. */
export interface SinkSubscription {
  readonly granted: ReadonlyMap<string, QoS | ReasonCode>
  /** Ends it. */
  readonly leave: () => Promise<void>
}

/** Subscribing, unsubscribing and subscribing again: the requests, and where messages go meanwhile. */
export class Subscriber {
  /** Called when there is a new receiver. */
  onReceiver: () => void = () => {}
  readonly subscriptions: Subscriptions
  private readonly identifiers: Identifiers | undefined
  private readonly requests: Requests
  private readonly platform: Platform
  private readonly dropped: (reason: string) => void
  private link: Link | undefined = undefined
  private readonly iterators = new Set<Messages>()

  constructor(
    requests: Requests,
    platform: Platform,
    dropped: (reason: string) => void,
    identifiers: Identifiers | undefined,
  ) {
    this.identifiers = identifiers
    this.subscriptions = new Subscriptions(identifiers)
    this.requests = requests
    this.platform = platform
    this.dropped = dropped
  }

  readonly route = (message: Message): readonly Sink[] => this.subscriptions.route(message)

  addEveryone(sink: Sink): () => void {
    this.subscriptions.addEveryone(sink)
    for (const messages of this.iterators) messages.handOver(sink)
    this.onReceiver()
    return () => this.subscriptions.removeEveryone(sink)
  }

  async subscribe(
    filters: string | readonly SubscriptionRequest[],
    options: SubscribeOptions,
  ): Promise<Messages> {
    const granted = new Map<string, QoS | ReasonCode>()
    const messages = new Messages(
      granted,
      options,
      () => this.dropped('slowReceiver'),
      () => this.leave(messages),
      () => this.subscriptions.changed(),
    )
    this.iterators.add(messages)
    try {
      const answer = await this.subscribeSink(filters, options, messages)
      for (const [filter, code] of answer.granted) granted.set(filter, code)
    } catch (error) {
      this.iterators.delete(messages)
      messages.end()
      throw error
    }
    return messages
  }

  /** Subscribes for any receiver.
   *  @throws RequestRefusedError when every filter was refused */
  async subscribeSink(
    filters: string | readonly SubscriptionRequest[],
    options: SubscribeOptions,
    sink: Sink,
  ): Promise<SinkSubscription> {
    const wanted = subscriptionsOf(filters, options)
    const request = new Request('SUBSCRIBE', wanted.length, (link, packetId) => {
      const identifier = this.register(wanted, sink, link)
      this.onReceiver()
      return subscribePacket(packetId, wanted, identifier, link, options.properties)
    })
    try {
      watch(
        request,
        options,
        this.platform,
        `subscribe to ${wanted.map((one) => one.topicFilter).join(', ')}`,
      )
      const answer = await this.requests.send(request)
      const granted = this.grant(wanted, answer.reasonCodes, sink)
      if (answer.reasonCodes.every((code) => code >= 0x80)) {
        throw refused(answer.reasonCodes[0]!, answer, `subscribe to ${wanted[0]!.topicFilter}`)
      }
      return { granted, leave: () => this.leave(sink) }
    } catch (error) {
      this.requests.giveUp(request)
      this.withdraw(sink, request.packetId !== 0)
      throw error
    }
  }

  async unsubscribe(filters: readonly string[], options: UnsubscribeOptions): Promise<UnsubscribeResult> {
    if (filters.length === 0) throw new RangeError('no filter was given')
    for (const filter of filters) checkTopicFilter(filter)
    const request = unsubscribeRequest(filters, options.properties)
    watch(request, options, this.platform, `unsubscribe from ${filters.join(', ')}`)
    for (const filter of filters) this.setLeaving(filter, true)
    const answer = await this.requests.send(request).catch((error: unknown) => {
      this.requests.giveUp(request)
      for (const filter of filters) this.setLeaving(filter, false)
      throw error
    })
    const reasonCodes = new Map<string, ReasonCode>()
    filters.forEach((filter, i) => {
      // A server of 5.0 that leaves the codes out has not said that it did.
      const code = answer.reasonCodes[i] ?? (this.link?.version === 5 ? 0x80 : 0)
      reasonCodes.set(filter, code)
      if (code < 0x80) this.drop(filter)
      else this.setLeaving(filter, false)
    })
    const codes = [...reasonCodes.values()]
    if (codes.every((code) => code >= 0x80)) throw refused(codes[0]!, answer, `unsubscribe ${filters[0]!}`)
    return { reasonCodes, properties: answer.properties ?? {} }
  }

  /** A connection begins. On a session that is new, every subscription is made again. */
  attach(link: Link, resumed: boolean): void {
    this.link = link
    if (resumed) return
    const groups = new Map<string, Entry[]>()
    for (const entry of this.subscriptions.all()) {
      if (!entry.confirmed || entry.leaving) continue
      const key = link.version === 5 && entry.identifier > 0 ? `#${entry.identifier}` : 'none'
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [entry])
      else group.push(entry)
    }
    for (const group of groups.values()) this.restore(group)
  }

  /** No more messages: every iterator ends after what it holds. */
  end(error?: unknown): void {
    for (const messages of this.iterators) messages.end(error)
    this.iterators.clear()
  }

  /** Puts the way to the receiver in place before SUBSCRIBE goes out: messages may come before SUBACK. */
  private register(wanted: readonly Subscription[], sink: Sink, link: Link): number {
    const identifies = link.version === 5 && link.server.subscriptionIdentifiersAvailable !== 0
    const { identifiers, subscriptions } = this
    const identifier =
      identifiers === undefined || !identifies
        ? 0
        : identifiers.choose(subscriptions.all(), wanted, sink, (entry) => this.restore([entry], 2))
    for (const subscription of wanted) subscriptions.add(subscription, identifier, sink)
    return identifier
  }

  private restore(entries: readonly Entry[], retainHandling?: 2): void {
    const request = new Request('SUBSCRIBE', entries.length, (link, packetId) => {
      const wanted = entries.map(({ subscription }) =>
        retainHandling === undefined ? subscription : { ...subscription, retainHandling },
      )
      return subscribePacket(packetId, wanted, entries[0]!.identifier, link)
    })
    this.requests.send(request).then(
      (answer) => {
        entries.forEach((entry, i) => {
          const code = answer.reasonCodes[i]!
          if (code >= 0x80)
            this.lose(entry, refused(code, answer as Suback, `subscribe again ${entry.filter}`))
        })
      },
      (error: unknown) => {
        if (!(error instanceof ConnectionLostError)) for (const entry of entries) this.lose(entry, error)
      },
    )
  }

  /** The server no longer serves a filter: its readers are told. */
  private lose(entry: Entry, error: unknown): void {
    for (const sink of entry.sinks) if (sink instanceof Messages) sink.end(error)
    this.subscriptions.remove(entry)
  }

  private grant(
    wanted: readonly Subscription[],
    codes: readonly ReasonCode[],
    sink: Sink,
  ): ReadonlyMap<string, QoS | ReasonCode> {
    const granted = new Map<string, QoS | ReasonCode>()
    wanted.forEach(({ topicFilter }, i) => {
      const code = codes[i]!
      granted.set(topicFilter, code)
      const entry = this.subscriptions.get(topicFilter)
      if (entry === undefined) return
      if (code < 0x80) entry.confirmed = true
      else {
        entry.sinks.delete(sink)
        this.subscriptions.changed()
        if (entry.sinks.size === 0) this.subscriptions.remove(entry)
      }
    })
    return granted
  }

  /** A subscribe that failed: nobody reads it, so a server that grants it late is told so. */
  private withdraw(sink: Sink, sent: boolean): void {
    const unread = this.subscriptions.removeSink(sink)
    for (const entry of unread) this.subscriptions.remove(entry)
    if (sent && unread.length > 0) void this.unsubscribeQuietly(unread.map((entry) => entry.filter))
  }

  private async leave(sink: Sink): Promise<void> {
    if (sink instanceof Messages) this.iterators.delete(sink)
    const unread = this.subscriptions.removeSink(sink)
    for (const entry of unread) this.subscriptions.remove(entry)
    if (unread.length === 0) return
    const done = this.unsubscribeQuietly(unread.map((entry) => entry.filter))
    if (this.link?.transport.isOpen) await done
  }

  private unsubscribeQuietly(filters: readonly string[]): Promise<void> {
    return this.requests.send(unsubscribeRequest(filters)).then(
      () => {},
      () => {},
    )
  }

  private setLeaving(filter: string, leaving: boolean): void {
    const entry = this.subscriptions.get(filter)
    if (entry !== undefined) entry.leaving = leaving
  }

  private drop(filter: string): void {
    const entry = this.subscriptions.get(filter)
    if (entry === undefined) return
    this.subscriptions.remove(entry)
    const still = new Set(this.subscriptions.all().flatMap((other) => [...other.sinks]))
    for (const sink of entry.sinks) {
      if (!(sink instanceof Messages) || still.has(sink)) continue
      this.iterators.delete(sink)
      sink.end()
    }
  }
}
