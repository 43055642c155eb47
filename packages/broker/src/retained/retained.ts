import type { QoS } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { Limits } from '../options.ts'
import { Delivery } from '../routing/delivery.ts'
import type { Message } from '../routing/message.ts'
import type { Router } from '../routing/router.ts'
import type { Session } from '../sessions/session.ts'
import type { SubscriptionState } from '../sessions/subscription.ts'
import type { Journal } from '../storage/journal.ts'
import { type RetainSource, RetainSources } from './source.ts'
import { TopicTree } from './topic-tree.ts'

interface Replay {
  readonly subscription: SubscriptionState
  readonly messages: Generator<Message, void, undefined>
}

/** The last retained message of each topic, and its replay to new subscribers.
 *  @see MQTT 5.0, 3.3.1.3 */
export class Retained {
  bytes = 0
  /** Where they are written; undefined: nowhere. */
  journal: Journal | undefined = undefined
  /** Says whether who published a message still may; undefined: nobody asks. */
  stillAllows: ((source: RetainSource, topic: string) => boolean) | undefined = undefined
  private readonly tree = new TopicTree<Message>()
  /** By topic, where somebody asks. */
  private readonly sources = new Map<string, RetainSource>()
  private readonly publishers = new RetainSources()
  /** The broker's own $SYS/…, which no limit concerns and no wildcard at the first level matches. */
  private readonly system = new TopicTree<Message>()
  private readonly replays = new Map<Session, Replay[]>()
  /** Topics that changed while storage failed, with what it has of them. */
  private readonly unsaved = new Map<string, Message | undefined>()
  private readonly limits: Limits
  private readonly router: Pick<Router, 'upgradeQoS'>
  private readonly now: () => number
  private readonly mayReceive: (session: Session, topic: string) => boolean

  constructor(
    limits: Limits,
    now: () => number,
    router: Pick<Router, 'upgradeQoS'>,
    mayReceive: (session: Session, topic: string) => boolean,
  ) {
    this.limits = limits
    this.router = router
    this.now = now
    this.mayReceive = mayReceive
  }

  get size(): number {
    return this.tree.size
  }

  get(topic: string): Message | undefined {
    return this.treeOf(topic).get(topic)
  }

  /** Says whether the limits allow a message to be retained. One that makes less of what is there always may. */
  hasRoom(message: Message): boolean {
    if (message.payloadLength === 0) return true
    if (isSystem(message.topic)) return message.volatile || this.mayTellState(message)
    const before = this.tree.get(message.topic)
    if (before === undefined && this.tree.size >= this.limits.retainedMessages) return false
    const growth = message.size - (before?.size ?? 0)
    return growth <= 0 || this.bytes + growth <= this.limits.retainedBytes
  }

  /** The state of a bridge, which its client says, is short, and there are not many. */
  private mayTellState(message: Message): boolean {
    if (message.payloadLength > 100) return false
    return this.system.size < MOST_STATES || this.system.get(message.topic) !== undefined
  }

  /** Keeps a message with RETAIN, or clears its topic when it is empty [MQTT-3.3.1-5] [MQTT-3.3.1-6].
   *  False when the limits do not allow one more. */
  store(message: Message): boolean {
    const { topic } = message
    if (message.payloadLength === 0) {
      this.remove(topic)
      return true
    }
    if (!this.hasRoom(message)) return false
    const kept = message.compact()
    const before = this.treeOf(topic).set(topic, kept)
    if (isSystem(topic)) return true
    this.bytes += kept.size - (before?.size ?? 0)
    if (this.stillAllows !== undefined) this.note(topic, this.publishers.of(message.publisher))
    this.save(topic, kept, before)
    return true
  }

  private note(topic: string, source: RetainSource | undefined): void {
    if (source === undefined) this.sources.delete(topic)
    else this.sources.set(topic, source)
  }

  remove(topic: string): void {
    const before = this.treeOf(topic).delete(topic)
    if (before === undefined || isSystem(topic)) return
    this.bytes -= before.size
    this.sources.delete(topic)
    this.save(topic, undefined, before)
  }

  /** Writes what changed while storage failed, now that it works again. */
  saveChanges(): void {
    for (const [topic, before] of this.unsaved) this.save(topic, this.tree.get(topic), before)
  }

  /** Has storage hold what a topic retains. While it fails what it has stays there: it was acknowledged, and what
   *  comes now (QoS 0, wills, the embedder's own) is not. */
  private save(topic: string, now: Message | undefined, before: Message | undefined): void {
    const { journal, unsaved } = this
    if (journal === undefined) return
    const stored = unsaved.has(topic) ? unsaved.get(topic) : before
    if (journal.failing !== undefined) return void unsaved.set(topic, stored)
    unsaved.delete(topic)
    if (now !== undefined && !now.volatile) journal.retained(now, stored, this.sources.get(topic))
    else if (stored?.stored !== undefined && stored.stored.holds > 0) journal.unretained(stored)
  }

  /** Puts back a message that an earlier process retained.
   *  @param source who published it, where that was asked for */
  restore(message: Message, source?: RetainSource): void {
    this.tree.set(message.topic, message)
    if (this.stillAllows !== undefined) this.note(message.topic, source)
    this.bytes += message.size
  }

  /** All that match a filter. */
  match(filter: string): Generator<Message, void, undefined> {
    return this.treeOf(filter).match(filter)
  }

  private treeOf(topicOrFilter: string): TopicTree<Message> {
    return isSystem(topicOrFilter) ? this.system : this.tree
  }

  /** Sends a new subscription the retained messages it matches, as fast as the client takes them. */
  replay(connection: Connection, subscription: SubscriptionState): void {
    const tree = this.treeOf(subscription.topicFilter)
    if (tree.size === 0) return
    const { session } = subscription
    const replay = { subscription, messages: tree.match(subscription.topicFilter) }
    const waiting = this.replays.get(session)
    if (waiting === undefined) this.replays.set(session, [replay])
    else waiting.push(replay)
    this.pump(connection)
  }

  /** Goes on with what waits for this client: QoS 1 and 2 within its Receive Maximum, all within its socket. */
  pump(connection: Connection): void {
    if (this.replays.size === 0) return
    const session = connection.session
    const replays = session === undefined ? undefined : this.replays.get(session)
    if (session === undefined || replays === undefined) return
    while (replays.length > 0 && this.advance(connection, session, replays[0]!)) replays.shift()
    if (replays.length === 0) this.replays.delete(session)
  }

  /** A subscription is gone: what it still had coming does not come [MQTT-3.10.4-2]. */
  cancel(subscription: SubscriptionState): void {
    const waiting = this.replays.get(subscription.session)
    if (waiting === undefined) return
    const others = waiting.filter((replay) => replay.subscription !== subscription)
    if (others.length > 0) this.replays.set(subscription.session, others)
    else this.replays.delete(subscription.session)
  }

  /** Forgets what waits for a session that is away. */
  stop(session: Session): void {
    this.replays.delete(session)
  }

  /** True when the replay has come to its end. */
  private advance(connection: Connection, session: Session, replay: Replay): boolean {
    const { subscription, messages } = replay
    for (;;) {
      if (!connection.mayPump() || (subscription.qos > 0 && !session.canTake(1))) return false
      const next = messages.next()
      if (next.done === true) return true
      this.send(connection, session, subscription, next.value)
    }
  }

  private send(
    connection: Connection,
    session: Session,
    subscription: SubscriptionState,
    message: Message,
  ): void {
    const now = this.now()
    if (message.expiresAt <= now) return this.remove(message.topic)
    if (!this.mayReceive(session, message.topic) || !this.isStillAllowed(message.topic)) return
    const qos = this.router.upgradeQoS ? subscription.qos : (Math.min(message.qos, subscription.qos) as QoS)
    const identifiers = subscription.identifier > 0 ? [subscription.identifier] : undefined
    const delivery = new Delivery(message, qos, true, identifiers, undefined)
    if (qos === 0) connection.sendQoS0(delivery, now)
    else session.deliver(delivery, now)
  }

  private isStillAllowed(topic: string): boolean {
    const source = this.stillAllows === undefined ? undefined : this.sources.get(topic)
    return source === undefined || this.stillAllows?.(source, topic) === true
  }
}

/** Topics below $SYS, our own among them. */
const MOST_STATES = 10_000

function isSystem(topicOrFilter: string): boolean {
  return topicOrFilter.startsWith('$SYS/')
}
