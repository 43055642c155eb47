import { AWAITING_PUBCOMP, Inbound, Outbound } from '@pipit/protocol'
import type { Rights } from '../auth/rights.ts'
import type { Connection } from '../connection.ts'
import type { DropReason } from '../metrics/ledger.ts'
import type { Limits } from '../options.ts'
import { Delivery } from '../routing/delivery.ts'
import type { Message } from '../routing/message.ts'
import type { Router } from '../routing/router.ts'
import type { SharedGroup } from '../routing/shared.ts'
import type { Journal } from '../storage/journal.ts'
import { DeliveryQueue, type QueueTotals } from './queue.ts'
import type { SubscriptionState } from './subscription.ts'

/** What happens to a message that finds a session's queue full. */
export type OverflowPolicy = 'drop-oldest' | 'drop-newest' | 'disconnect' | 'refuse'

/** What a session asks of the broker that holds it. */
export interface SessionHost {
  readonly limits: Limits
  /** What all sessions have queued together. */
  readonly queueTotals: QueueTotals
  readonly overflowPolicy: OverflowPolicy
  /** Where sessions that outlive their connection are written; undefined: nowhere. */
  readonly journal: Journal | undefined
  /** Says who gets messages of a topic; it is undefined where everyone does. */
  readonly router: Pick<Router, 'mayReceive' | 'queueQoS0' | 'changed'>
  /** Says whether so many bytes more would be beyond what the broker may hold. */
  isBeyondMemory(size: number): boolean
  dropped(clientId: string, topic: string, reason: DropReason): void
  now(): number
}

/** Expires never: the value of Session Expiry Interval that means so. */
export const NEVER_EXPIRES = 0xffffffff

/** A client's state at the broker; it outlives the connection when its expiry interval says so.
 *  @see MQTT 5.0, 4.1 */
export class Session {
  readonly clientId: string
  /** Seconds after the connection's end; 0: ends with it; 4294967295: never. */
  expiryInterval: number
  connection: Connection | undefined = undefined
  /** When it ends, milliseconds since the epoch; Infinity while connected or when it never does. */
  expiresAt = Number.POSITIVE_INFINITY
  username: string | undefined = undefined
  /** What its client may do; undefined: everything, or it is not known yet. */
  rights: Rights | undefined = undefined
  /** Its client belongs to this process, and may do everything. */
  isTrusted = false
  /** Its number in storage; 0: it is not stored. */
  storeId = 0
  /** By filter as subscribed. Made with the first subscription: most idle clients have few. */
  subscriptions: Map<string, SubscriptionState> | undefined = undefined
  readonly outbound = new Outbound<Delivery>()
  /** QoS 2 messages received and not released: published at PUBREL. */
  readonly inbound = new Inbound<Message | undefined>()
  private readonly host: SessionHost
  /** Of payloads in flight at QoS 1 and 2. */
  private inflightBytes = 0
  private waiting: DeliveryQueue | undefined = undefined
  /** Identifiers to be sent again on this connection, oldest first. */
  private resend: number[] | undefined = undefined
  /** What is to be sent again is not safe yet. */
  private holding = false

  constructor(clientId: string, expiryInterval: number, host: SessionHost) {
    this.clientId = clientId
    this.expiryInterval = expiryInterval
    this.host = host
  }

  get online(): boolean {
    return this.connection !== undefined
  }

  /** Says whether the session outlives its connection. */
  get persistent(): boolean {
    return this.expiryInterval > 0
  }

  get queuedMessages(): number {
    return this.waiting?.length ?? 0
  }

  get queuedBytes(): number {
    return this.waiting?.bytes ?? 0
  }

  /** Says whether QoS 0 waits here: its client is away and the broker keeps it, or what was kept is not all sent. */
  get holdsQoS0(): boolean {
    if (this.waiting !== undefined && this.waiting.atQoS0 > 0) return true
    return this.connection === undefined && this.persistent && this.host.router.queueQoS0
  }

  /** Says whether one more message may be in flight. */
  private get canBegin(): boolean {
    const limit = this.host.limits.inflightBytes
    return this.outbound.canBegin && (limit === 0 || this.inflightBytes < limit)
  }

  /** Says whether anything waits to be sent. */
  get waits(): boolean {
    return this.resend !== undefined || (this.waiting !== undefined && this.waiting.length > 0)
  }

  /** Says whether a message at `qos` could go out at once. */
  canTake(qos: number): boolean {
    const connection = this.connection
    if (connection === undefined || connection.output.blocked) return false
    return qos === 0 || (this.queuedMessages === 0 && this.resend === undefined && this.canBegin)
  }

  /** Takes a QoS 1 or 2 message: sends it, or queues it until the client can take it.
   *  False when the queue is full and the policy says to refuse the publisher. */
  deliver(delivery: Delivery, now: number): boolean {
    const stored = this.storeId !== 0 && !delivery.message.volatile
    if (this.canTake(1)) {
      this.send(stored ? ownCopy(delivery, delivery.message) : delivery, now)
      return true
    }
    this.connection?.pumpWhenTaken()
    return this.enqueue(stored ? ownCopy(delivery, delivery.message.compact()) : delivery)
  }

  /** Takes a QoS 0 message: sends it, or queues it when it is to wait; otherwise it is for nobody. */
  deliverQoS0(delivery: Delivery, now: number): void {
    if (!this.holdsQoS0) return void this.connection?.sendQoS0(delivery, now)
    this.connection?.pumpWhenTaken()
    const isStored = this.storeId !== 0 && !delivery.message.volatile
    this.enqueue(isStored ? ownCopy(delivery, delivery.message.compact()) : delivery)
  }

  /** Sends what has waited, as far as quota and socket allow. */
  pump(now: number): void {
    const connection = this.connection
    if (connection === undefined || this.holding) return
    while (this.resend !== undefined && connection.mayPump() && this.resendNext(connection, now));
    const queue = this.waiting
    if (queue === undefined || this.resend !== undefined) return
    const heldQoS0 = queue.atQoS0 > 0
    while (queue.length > 0 && this.canBegin && connection.mayPump()) {
      const delivery = queue.shift()!
      // Rules may have changed since it was queued, and the session may be another user's now.
      if (this.mayReceive(delivery)) this.send(delivery, now)
      else this.drop(delivery, 'not authorised')
    }
    // From here on QoS 0 overtakes nothing: it may go the short way.
    if (heldQoS0 && queue.atQoS0 === 0) this.host.router.changed()
  }

  private mayReceive({ message }: Delivery): boolean {
    const { mayReceive } = this.host.router
    return mayReceive === undefined || mayReceive(this, message.topic)
  }

  /** Begins a connection: what is unacknowledged goes out again in its order [MQTT-4.4.0-1]. */
  connect(connection: Connection, receiveMaximum: number): void {
    this.connection = connection
    this.expiresAt = Number.POSITIVE_INFINITY
    this.outbound.connect(Math.min(receiveMaximum, this.host.limits.inflight))
    const again = this.outbound.unacknowledged()
    this.resend = again.length > 0 ? again : undefined
    this.holding = false
    const { journal } = this.host
    if (this.storeId === 0 || this.resend === undefined || journal === undefined || !journal.mustWait) return
    // A receiver at QoS 2 remembers identifiers and phases: none goes out that a crash could take back.
    this.holding = true
    journal.whenCommitted(() => {
      if (this.connection !== connection) return
      this.holding = false
      this.pump(this.host.now())
    })
  }

  disconnect(now: number): void {
    this.connection = undefined
    this.resend = undefined
    if (this.expiryInterval !== NEVER_EXPIRES) this.expiresAt = now + this.expiryInterval * 1000
  }

  /** Forgets all state but the subscriptions, and gives what had not been acknowledged or sent. */
  clear(): Delivery[] {
    const left: Delivery[] = []
    for (const packetId of this.outbound.unacknowledged()) {
      const delivery = this.outbound.message(packetId)
      if (delivery !== undefined) left.push(delivery)
    }
    // No spread: a queue may be longer than a call takes arguments.
    for (const delivery of this.waiting?.drain() ?? []) left.push(delivery)
    this.outbound.clear()
    this.inbound.clear()
    this.landed(this.inflightBytes)
    this.waiting = undefined
    this.resend = undefined
    return left
  }

  /** Messages received at QoS 2 and not released. */
  unreleased(): Message[] {
    const messages = this.inbound.awaitingPubrel().map((packetId) => this.inbound.message(packetId))
    return messages.filter((message) => message !== undefined)
  }

  /** Takes deliveries of these shared subscriptions back that were not acknowledged, for other members. */
  withdrawShared(groups: ReadonlySet<SharedGroup>): Delivery[] {
    const back: Delivery[] = []
    for (const packetId of this.outbound.unacknowledged()) {
      const delivery = this.outbound.message(packetId)
      // A QoS 2 delivery that has begun is finished here or nowhere [MQTT-4.8.2-4].
      if (delivery?.group === undefined || delivery.qos !== 1 || !groups.has(delivery.group)) continue
      this.outbound.forget(packetId)
      this.landed(delivery.message.payloadLength)
      back.push(delivery)
    }
    if (this.waiting === undefined) return this.unstored(back)
    const kept = this.waiting.drain()
    for (const delivery of kept) {
      if (delivery.group !== undefined && groups.has(delivery.group)) back.push(delivery)
      else this.waiting.push(delivery)
    }
    return this.unstored(back)
  }

  private unstored(deliveries: Delivery[]): Delivery[] {
    for (const delivery of deliveries) this.settled(delivery)
    return deliveries
  }

  /** The client has answered for a message in flight, for the last time. */
  acknowledged(delivery: Delivery): void {
    this.landed(delivery.message.payloadLength)
    this.settled(delivery)
  }

  private took(bytes: number): void {
    this.inflightBytes += bytes
    this.host.queueTotals.inflightBytes += bytes
  }

  private landed(bytes: number): void {
    this.inflightBytes -= bytes
    this.host.queueTotals.inflightBytes -= bytes
  }

  /** The client has a message, or will never get it: storage need not keep it for this session. */
  settled(delivery: Delivery): void {
    if (delivery.reference !== 0) this.host.journal?.settled(delivery)
  }

  /** Puts back a message that an earlier process had queued or in flight. */
  restore(delivery: Delivery, state: number, packetId: number): void {
    if (state !== 0) {
      this.took(delivery.message.payloadLength)
      return this.outbound.restore(packetId, delivery, state)
    }
    this.waiting ??= new DeliveryQueue(this.host.queueTotals)
    this.waiting.push(delivery)
  }

  private send(delivery: Delivery, now: number): void {
    const { message } = delivery
    const connection = this.connection!
    if (message.expiresAt <= now) return this.drop(delivery, 'expired')
    const refusal = connection.refusalOf(delivery)
    if (refusal !== undefined) return this.drop(delivery, refusal)
    if (delivery.qos === 0) {
      connection.sendQoS0(delivery, now)
      return this.settled(delivery)
    }
    this.took(message.payloadLength)
    const packetId = this.outbound.begin(delivery, delivery.qos)
    const { journal } = this.host
    if (journal === undefined || this.storeId === 0 || message.volatile) {
      return connection.sendPublish(delivery, packetId, false, now)
    }
    if (delivery.reference === 0) journal.referred(this, delivery, packetId)
    else journal.sent(delivery, packetId)
    if (delivery.qos === 1) return connection.sendPublish(delivery, packetId, false, now)
    // At QoS 2 the receiver remembers the identifier: after a crash it must be the same one.
    journal.whenCommitted(() => {
      const stillOurs = this.connection === connection && this.outbound.message(packetId) === delivery
      if (stillOurs) connection.sendPublish(delivery, packetId, false, now)
    })
  }

  private drop(delivery: Delivery, reason: DropReason): void {
    this.settled(delivery)
    this.host.dropped(this.clientId, delivery.message.topic, reason)
  }

  private resendNext(connection: Connection, now: number): boolean {
    const packetId = this.resend![0]!
    const state = this.outbound.state(packetId)
    if (state === AWAITING_PUBCOMP) {
      // It is still in flight, so it counts, but PUBREL itself is never held back [MQTT-4.9.0-3].
      if (this.outbound.quota.available > 0) this.outbound.quota.take()
      connection.sendPubrel(packetId)
    } else if (state !== 0) {
      if (this.outbound.quota.available === 0) return false
      const delivery = this.outbound.message(packetId)!
      this.outbound.quota.take()
      const refusal = this.mayReceive(delivery) ? connection.refusalOf(delivery) : 'not authorised'
      if (refusal === undefined) connection.sendPublish(delivery, packetId, true, now)
      else {
        this.outbound.forget(packetId)
        this.landed(delivery.message.payloadLength)
        this.drop(delivery, refusal)
      }
    }
    this.resend!.shift()
    if (this.resend!.length > 0) return true
    this.resend = undefined
    return false
  }

  /** Says whether one more message of `size` bytes would meet a limit of the queue. */
  full(size: number): boolean {
    if (this.canTake(1)) return false
    const { limits, queueTotals } = this.host
    return (
      this.queuedMessages >= limits.queuedMessages ||
      this.queuedBytes + size > limits.queuedBytes ||
      queueTotals.messages >= limits.queuedMessagesInAll ||
      queueTotals.bytes + size > limits.queuedBytesInAll ||
      (limits.memory > 0 && this.host.isBeyondMemory(size))
    )
  }

  private enqueue(delivery: Delivery): boolean {
    const { host } = this
    this.waiting ??= new DeliveryQueue(this.host.queueTotals)
    const queue = this.waiting
    const kept = this.online ? delivery : compacted(delivery)
    while (this.full(kept.size)) {
      if (host.overflowPolicy === 'refuse') {
        // Its publisher has been told by now that it is taken, or expects no answer.
        this.drop(kept, 'queue full')
        return false
      }
      if (host.overflowPolicy !== 'drop-oldest' || queue.length === 0) {
        this.drop(kept, 'queue full')
        if (host.overflowPolicy === 'disconnect') this.connection?.disconnect(0x97)
        return true
      }
      this.drop(queue.shift()!, 'queue full')
    }
    queue.push(kept)
    if (this.storeId !== 0 && !kept.message.volatile) host.journal?.referred(this, kept, 0)
    return true
  }
}

/** A delivery that storage can tell from those to other sessions. */
function ownCopy({ qos, retain, identifiers, group }: Delivery, message: Message): Delivery {
  return new Delivery(message, qos, retain, identifiers, group)
}

/** A delivery that will wait long does not keep the 64 kB alive in which its message came. */
function compacted(delivery: Delivery): Delivery {
  const message = delivery.message.compact()
  if (message === delivery.message || delivery.reference !== 0) return delivery
  if (delivery === delivery.message.delivery(delivery.qos)) return message.delivery(delivery.qos)
  return new Delivery(message, delivery.qos, delivery.retain, delivery.identifiers, delivery.group)
}
