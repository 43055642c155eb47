import { AWAITING_PUBACK, AWAITING_PUBREC, subscriptionOptions } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { RetainSource } from '../retained/source.ts'
import type { Delivery } from '../routing/delivery.ts'
import { type Message, StoredMessage } from '../routing/message.ts'
import type { Session } from '../sessions/session.ts'
import type { SubscriptionState } from '../sessions/subscription.ts'
import { BatchWriter } from './batch.ts'
import type { StorageError } from './engine.ts'
import type { MessageRecord } from './records.ts'
import type { Leftovers, NextIds } from './restore.ts'
import type { BatchEvents, BatchSink } from './writer.ts'

/** When an acknowledgement may go out: after the disk has it, or at once with a write behind it. */
export type Durability = 'always' | 'interval' | 'off'

/** Something held back until a batch is on disk: an acknowledgement, or other work. One shape for both, and no
 *  closure for an acknowledgement: 0.4 µs less a message (bench/storage). */
interface Held {
  batch: number
  readonly connection: Connection | undefined
  readonly first: number
  readonly packetId: number
  readonly reasonCode: AckCode
  readonly run: (() => void) | undefined
  readonly failed: (() => void) | undefined
}

/** A will that storage may hold. */
export interface StoredWill {
  readonly message: Message
  /** When it is due, milliseconds since the epoch; Infinity: its client is connected. */
  readonly at: number
  /** Will Delay Interval, seconds. */
  readonly delay: number
  /** Storage keeps the message for it. */
  isStored: boolean
}

export interface JournalOptions {
  /** When acknowledgements go out whose topic says nothing else. */
  readonly durability: Durability
  /** Milliseconds between commits when nobody waits for one; 0: each turn of the event loop is one. */
  readonly intervalMs: number
}

/** A batch does not wait for the end of the turn, or for the interval, once so many messages and references
 *  are to be written: a millisecond of work. */
const EARLY_POST = 4096
/** Where acknowledgements wait each batch may be a sync of its own: two milliseconds. */
const EARLY_POST_GATED = 8192
/** Or bytes of messages, which are copied. */
const EARLY_POST_BYTES = 524288
/** Nor when it holds on to so many, most of them settled. */
const MOST_HELD = 32768
/** What nobody waits for is written within so many milliseconds, as one commit and not one a turn: that a receiver has
 *  acknowledged a message; and, when it is not acknowledged after that time either, that it has been sent it
 *  (bench/state offline). A crash in that time costs no more than one just before: what was acknowledged last is sent
 *  again. */
const LAZY_MS = 20
/** So many that were sent do not wait for their acknowledgement any more. */
const MOST_LAZY = 65536
/** What has waited for one batch is sent in turns of so many: a millisecond of work. */
const RELEASED_A_TURN = 8192
/** Messages of an ended session's queue that are settled in one turn: a millisecond of work. What a crash leaves of
 *  them is found to belong to nobody at the next start. */
const SETTLED_A_TURN = 4096

/** Writes down what has to survive, and holds back what must not be said before it is written.
 *
 *  Everything that happens in one turn of the event loop is one batch; batches are handed to a writer
 *  and acknowledgements that depend on them wait for its answer. Messages and references are put into the batch when
 *  it is handed over, so that what was acknowledged by then costs nothing: with `interval` that is nearly
 *  all where clients are quick, 1.7x on p2p (bench/storage). It knows neither sockets nor files. */
export class Journal implements BatchEvents {
  /** Records written since the start: compare before and after to know whether something was. */
  records = 0
  /** The longest that one batch, or the answer to one, has kept the event loop, milliseconds. */
  longestMs = 0
  /** Why the last commit failed; undefined while all is well. */
  failing: StorageError | undefined = undefined
  private readonly batch = new BatchWriter()
  private sink: BatchSink | undefined
  private readonly gated: boolean
  private readonly intervalMs: number
  private readonly earlyPost: number
  private readonly onFailure: (error: StorageError | undefined) => void
  private held: Held[] = []
  /** Some of what no longer has to wait goes out in the turns to come: what comes now stays behind it. */
  private releasing: NodeJS.Immediate | undefined = undefined
  private nextMessage: number
  private nextReference: number
  // Not in a batch yet: messages with the numbers from `firstMessage` on, references likewise. Undefined: settled.
  private readonly messages: (Message | undefined)[] = []
  private readonly references: (Delivery | undefined)[] = []
  private readonly referring: number[] = []
  /** State and Packet Identifier of each reference: state + 4 * identifier. */
  private readonly inFlight: number[] = []
  private firstMessage: number
  private firstReference: number
  /** What is older and has been sent at QoS 1, and not acknowledged when this was looked through last. */
  private readonly changed: Delivery[] = []
  /** For each: its reference then (once another it is settled), and its Packet Identifier. */
  private readonly changes: number[] = []
  /** How many of them had been sent by then, and when that was. */
  private due = 0
  private lookedAt = 0
  private readonly goneMessages = new Run()
  private readonly goneReferences = new Run()
  /** How many of both are not settled. */
  private unwritten = 0
  private unwrittenBytes = 0
  /** Queues of sessions that have ended. */
  private readonly leaving: Delivery[][] = []
  private nextSession: number
  private current = 1
  private done = 0
  /** For batches on their way: number, and the last message in it. */
  private readonly underWay: number[] = []
  /** The last message that is safe. */
  private safeMessage: number
  /** The batch is handed over at the end of this turn. */
  private immediate: NodeJS.Immediate | undefined = undefined
  /** It is handed over behind what is being handled. */
  private soon = false
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(options: JournalOptions, next: NextIds, onFailure: (error: StorageError | undefined) => void) {
    this.gated = options.durability === 'always'
    this.intervalMs = this.gated ? 0 : options.intervalMs
    this.earlyPost = this.gated ? EARLY_POST_GATED : EARLY_POST
    this.nextMessage = next.message
    this.nextReference = next.reference
    this.nextSession = next.session
    this.firstMessage = next.message
    this.firstReference = next.reference
    this.safeMessage = next.message - 1
    this.onFailure = onFailure
  }

  /** Begins to write; what has happened before is written first. */
  attach(sink: BatchSink): void {
    this.sink = sink
    this.post()
  }

  /** Says whether something has been recorded that is not safe yet and has to be. */
  get mustWait(): boolean {
    return this.gated && this.last > this.done
  }

  /** Says whether a message that was recorded survives a crash. */
  isSafe({ stored }: Message): boolean {
    return stored === undefined || stored.id <= this.safeMessage
  }

  /** Runs `then` once all records so far survive a crash; at once when nothing has to wait.
   *  @param failed runs instead when they cannot be written now, and takes back what it can: the latest first.
   *  They are tried again all the same, together with what it records */
  whenCommitted(then: () => void, failed?: () => void): void {
    const batch = this.last
    if (!this.gated || (batch <= this.done && this.releasing === undefined)) return then()
    this.hold({
      batch,
      connection: undefined,
      first: 0,
      packetId: 0,
      reasonCode: 0,
      run: then,
      failed,
    })
  }

  /** Sends an acknowledgement once all records so far survive a crash; at once when nothing has to wait.
   *  @param always wait, whatever the broker's own durability: the topic wants it */
  acknowledge(
    connection: Connection,
    first: number,
    packetId: number,
    reasonCode: AckCode,
    always: boolean,
  ): void {
    if (!this.gated && !always) return connection.acknowledge(first, packetId, reasonCode)
    const batch = this.last
    if (batch <= this.done && this.releasing === undefined) {
      return connection.acknowledge(first, packetId, reasonCode)
    }
    this.hold({ batch, connection, first, packetId, reasonCode, run: undefined, failed: undefined })
  }

  committed(number: number, memory: readonly ArrayBuffer[] = NO_MEMORY): void {
    const begun = performance.now()
    this.done = number
    const { underWay } = this
    let at = 0
    for (; at < underWay.length && underWay[at]! <= number; at += 2) this.safeMessage = underWay[at + 1]!
    underWay.splice(0, at)
    for (const each of memory) this.batch.recycle(each)
    const works = this.failing !== undefined
    this.failing = undefined
    this.release()
    if (works) this.onFailure(undefined)
    this.longestMs = Math.max(this.longestMs, performance.now() - begun)
  }

  /** Sends what no longer has to wait. */
  private readonly release = (): void => {
    const { held, done } = this
    clearImmediate(this.releasing)
    let count = 0
    while (count < held.length && count < RELEASED_A_TURN && held[count]!.batch <= done) count++
    this.releasing = count < RELEASED_A_TURN ? undefined : setImmediate(this.release)
    if (count === 0) return
    this.held = count === held.length ? [] : held.slice(count)
    for (let i = 0; i < count; i++) {
      const { connection, run, first, packetId, reasonCode } = held[i]!
      if (connection === undefined) run!()
      else if (!connection.closed) connection.acknowledge(first, packetId, reasonCode)
    }
  }

  failed(error: StorageError): void {
    const first = this.failing?.code !== error.code
    this.failing = error
    if (first) this.onFailure(error)
    // Those who can be told that it failed need not wait for the disk to come back.
    const { held, done } = this
    this.held = []
    for (let i = held.length - 1; i >= 0 && held[i]!.batch > done; i--) held[i]!.failed?.()
    const waiting = held.filter(
      (each) => each.batch <= done || (each.failed === undefined && !this.refused(each)),
    )
    this.held = waiting.concat(this.held)
    // What takes back is written in one with what it takes back.
    if (!this.isEmpty) this.postThisTurn()
  }

  /** Settles when all records are written, or cannot be. */
  async close(): Promise<void> {
    if (this.sink === undefined) return
    while (this.leaving.length > 0) this.settleSome()
    this.due = this.changed.length
    this.lookedAt = 0
    this.post()
    await this.sink.close()
  }

  /** Batch that the newest record is in. An empty batch stands for the one before it, which may be on its way. */
  private get last(): number {
    return this.isEmpty ? this.current - 1 : this.current
  }

  /** Says whether the batch under way has nothing in it. */
  private get isEmpty(): boolean {
    const { batch, unwritten, goneReferences, goneMessages } = this
    return batch.count === 0 && unwritten === 0 && goneReferences.size === 0 && goneMessages.size === 0
  }

  private hold(held: Held): void {
    this.held.push(held)
    // What it waits for may itself be in no haste.
    if (held.batch === this.current) this.postThisTurn()
  }

  /** Tells a publisher of 5.0 that its message is not safe. Another one's simply is not acknowledged yet. */
  private refused({ connection, first, packetId }: Held): boolean {
    if (connection === undefined || connection.protocolVersion !== 5) return false
    if (first !== 0x40 && first !== 0x50) return false
    if (connection.closed) return true
    if (first === 0x50) this.forgetInbound(connection.session!, packetId)
    connection.acknowledge(first, packetId, 0x97)
    return true
  }

  /** A QoS 2 message refused with PUBREC is not published: its identifier means a new one now [MQTT-4.3.3-9]. */
  private forgetInbound(session: Session, packetId: number): void {
    const message = session.inbound.message(packetId)
    session.inbound.refused(packetId)
    this.released(session, packetId, message)
  }

  /** Deletes records that nothing needs any more. */
  discard(leftovers: Leftovers): void {
    for (const id of leftovers.sessions) this.batch.deleteSession(id)
    for (const id of leftovers.references) this.batch.deleteReference(id)
    for (const id of leftovers.messages) this.batch.deleteMessage(id)
    if (this.batch.count > 0) this.record()
  }

  // ---- sessions

  /** A session that outlives its connection began, or its expiry changed. */
  session(session: Session): void {
    if (session.storeId === 0) {
      if (!session.persistent) return
      session.storeId = this.nextSession++
    }
    const { storeId: id, clientId, expiryInterval, expiresAt, username } = session
    this.record()
    this.batch.putSession({ id, clientId, expiryInterval, expiresAt, username })
  }

  /** A session ended, with all that waited for it, and what it had sent at QoS 2 and not released. */
  sessionEnded(session: Session, left: readonly Delivery[], unreleased: readonly Message[]): void {
    this.leaving.push([...left])
    if (this.leaving.length === 1) this.settleSome()
    for (const message of unreleased) if (isHeld(message)) this.free(message)
    if (session.storeId === 0) return
    this.record()
    this.batch.deleteSession(session.storeId)
    session.storeId = 0
  }

  private readonly settleSome = (): void => {
    const { leaving } = this
    for (let left = SETTLED_A_TURN; left > 0 && leaving.length > 0; ) {
      const queue = leaving[0]!
      for (; left > 0 && queue.length > 0; left--) this.settled(queue.pop()!)
      if (queue.length === 0) leaving.shift()
    }
    if (leaving.length > 0) setImmediate(this.settleSome)
  }

  /** A subscription was made, or its options are others. */
  subscribed(subscription: SubscriptionState): void {
    const { session, topicFilter, identifier } = subscription
    if (session.storeId === 0) return
    this.record()
    const options = subscriptionOptions(subscription)
    this.batch.putSubscription({ session: session.storeId, topicFilter, options, identifier })
  }

  unsubscribed(session: Session, topicFilter: string): void {
    if (session.storeId === 0) return
    this.record()
    this.batch.deleteSubscription(session.storeId, topicFilter)
  }

  // ---- messages on their way to a session

  /** A message was queued for a session, or is being sent to it. */
  referred(session: Session, delivery: Delivery, packetId: number): void {
    this.keep(delivery.message)
    delivery.reference = this.nextReference++
    this.references.push(delivery)
    this.referring.push(session.storeId)
    this.inFlight.push(packetId === 0 ? 0 : stateSent(delivery.qos) + 4 * packetId)
    this.unwritten++
    this.record()
  }

  /** A message that was queued is being sent. */
  sent(delivery: Delivery, packetId: number): void {
    this.state(delivery, stateSent(delivery.qos), packetId)
  }

  /** PUBREC came: the message is not sent again. */
  state(delivery: Delivery, state: number, packetId: number): void {
    const { reference } = delivery
    if (reference === 0) return
    const index = reference - this.firstReference
    if (index >= 0) {
      this.inFlight[index] = state + 4 * packetId
      this.record()
    } else if (state === AWAITING_PUBACK && this.gated) {
      this.changed.push(delivery)
      this.changes.push(reference, packetId)
      if (this.changed.length >= MOST_LAZY) this.due = this.changed.length
      this.recordLazily()
    } else {
      this.batch.updateReference(reference, state, packetId)
      this.record()
    }
  }

  /** A message is acknowledged, dropped or expired: this session needs it no more. */
  settled(delivery: Delivery): void {
    const { reference } = delivery
    if (reference === 0) return
    delivery.reference = 0
    const index = reference - this.firstReference
    if (index >= 0) {
      this.references[index] = undefined
      this.unwritten--
      this.records++
    } else {
      if (!this.goneReferences.add(reference)) {
        this.goneReferences.giveTo((first, last) => this.batch.deleteReference(first, last))
        this.goneReferences.add(reference)
      }
      this.recordLazily()
    }
    this.free(delivery.message)
  }

  // ---- QoS 2 messages received

  received(session: Session, packetId: number, message: Message | undefined): void {
    if (session.storeId === 0) return
    if (message !== undefined) this.keep(message)
    this.record()
    this.batch.putInbound({
      session: session.storeId,
      packetId,
      message: message === undefined ? 0 : idOf(message),
    })
  }

  released(session: Session, packetId: number, message: Message | undefined): void {
    if (session.storeId === 0) return
    this.record()
    this.batch.deleteInbound(session.storeId, packetId)
    if (message !== undefined && isHeld(message)) this.free(message)
  }

  // ---- retained messages and wills

  /** @param source who published it, where that is to be known after a restart */
  retained(message: Message, before: Message | undefined, source: RetainSource | undefined): void {
    this.keep(message)
    this.record()
    const { clientId, username } = source ?? {}
    this.batch.putRetained({
      topic: message.topic,
      message: idOf(message),
      ...(clientId !== undefined && { clientId }),
      ...(username !== undefined && { username }),
    })
    if (before !== undefined && isHeld(before)) this.free(before)
  }

  unretained(message: Message): void {
    this.record()
    this.batch.deleteRetained(message.topic)
    this.free(message)
  }

  /** The will of a session is this one from now on. */
  will(session: Session, will: StoredWill): void {
    if (session.storeId === 0) return
    const { message, at, delay } = will
    if (!will.isStored) this.keep(message)
    will.isStored = true
    this.record()
    this.batch.putWill({ session: session.storeId, at, delay, message: idOf(message) })
  }

  /** A session has no will any more. */
  noWill(session: Session): void {
    if (session.storeId === 0) return
    this.record()
    this.batch.deleteWill(session.storeId)
  }

  /** Nobody needs a will's message any more. */
  willGone(will: StoredWill): void {
    if (!will.isStored) return
    will.isStored = false
    this.free(will.message)
  }

  /** One more needs this message: it is written when it is the first. */
  private keep(message: Message): void {
    message.stored ??= new StoredMessage()
    if (message.stored.holds++ > 0) return
    message.stored.id = this.nextMessage++
    this.messages.push(message)
    this.unwritten++
    this.unwrittenBytes += message.size
    this.record()
  }

  private free(message: Message): void {
    const stored = message.stored!
    if (--stored.holds > 0) return
    const { id } = stored
    stored.id = 0
    const index = id - this.firstMessage
    if (index >= 0) {
      this.messages[index] = undefined
      this.unwritten--
      this.unwrittenBytes -= message.size
      this.records++
    } else {
      if (!this.goneMessages.add(id)) {
        this.goneMessages.giveTo((first, last) => this.batch.deleteMessage(first, last))
        this.goneMessages.add(id)
      }
      this.recordLazily()
    }
  }

  /** For what nobody waits for. */
  private recordLazily(): void {
    this.records++
    if (this.intervalMs > 0) this.record()
    else this.timer ??= setTimeout(this.post, LAZY_MS)
  }

  private record(): void {
    this.records++
    if (this.soon) return
    // What one packet changes must be one batch: it is handed over behind the packet's whole chunk.
    const { unwritten, unwrittenBytes, references } = this
    if (unwritten >= this.earlyPost || unwrittenBytes >= EARLY_POST_BYTES || references.length >= MOST_HELD) {
      this.soon = true
      process.nextTick(this.post)
    } else if (this.intervalMs === 0) this.postThisTurn()
    else this.timer ??= setTimeout(this.post, this.intervalMs)
  }

  private postThisTurn(): void {
    this.immediate ??= setImmediate(this.post)
  }

  private readonly post = (): void => {
    this.soon = false
    clearImmediate(this.immediate)
    this.immediate = undefined
    if (this.timer !== undefined) clearTimeout(this.timer)
    this.timer = undefined
    if (this.sink === undefined) return
    const begun = performance.now()
    this.encode(begun)
    if (this.batch.count > 0) {
      this.underWay.push(this.current, this.nextMessage - 1)
      this.sink.write(this.batch.take(), this.current++)
    } else this.releaseSettled()
    if (this.changed.length > 0) this.timer ??= setTimeout(this.post, LAZY_MS)
    this.longestMs = Math.max(this.longestMs, performance.now() - begun)
  }

  /** Nothing is left of the batch that some may wait for. */
  private releaseSettled(): void {
    // They wait for the batch before it.
    const { held, current } = this
    for (let i = held.length - 1; i >= 0 && held[i]!.batch === current; i--) held[i]!.batch--
    this.release()
  }

  /** Puts messages and references into the batch that are still needed.
   *  @param now milliseconds, of the same clock each time */
  private encode(now: number): void {
    const { batch, messages, references } = this
    if (this.unwritten > 0) {
      for (const message of messages) if (message !== undefined) batch.putMessage(recordOf(message))
      for (let i = 0; i < references.length; i++) {
        const delivery = references[i]
        if (delivery === undefined) continue
        const { reference: id, message, qos, retain, identifiers = NONE, group } = delivery
        batch.putReference({
          id,
          session: this.referring[i]!,
          message: idOf(message),
          qos,
          retain,
          state: this.inFlight[i]! & 3,
          packetId: this.inFlight[i]! >> 2,
          identifiers,
          shared: group !== undefined,
        })
      }
    }
    if (now - this.lookedAt >= LAZY_MS || this.due >= MOST_LAZY) this.encodeSent(now)
    this.goneReferences.giveTo((first, last) => batch.deleteReference(first, last))
    this.goneMessages.giveTo((first, last) => batch.deleteMessage(first, last))
    messages.length = references.length = this.referring.length = this.inFlight.length = 0
    this.firstMessage = this.nextMessage
    this.firstReference = this.nextReference
    this.unwritten = this.unwrittenBytes = 0
  }

  private encodeSent(now: number): void {
    const { batch, changed, changes, due } = this
    for (let i = 0; i < due; i++) {
      const reference = changes[2 * i]!
      if (changed[i]!.reference === reference)
        batch.updateReference(reference, AWAITING_PUBACK, changes[2 * i + 1]!)
    }
    changed.splice(0, due)
    changes.splice(0, 2 * due)
    this.due = changed.length
    this.lookedAt = now
  }
}

/** Identifiers that follow each other: acknowledgements come nearly in order. */
class Run {
  size = 0
  private first = 0

  /** False when it does not follow: give the run away first. */
  add(id: number): boolean {
    if (this.size === 0) this.first = id
    else if (id !== this.first + this.size) return false
    this.size++
    return true
  }

  giveTo(take: (first: number, last: number) => void): void {
    if (this.size > 0) take(this.first, this.first + this.size - 1)
    this.size = 0
  }
}

function isHeld({ stored }: Message): boolean {
  return stored !== undefined && stored.holds > 0
}

/** The number of a message that is held. */
function idOf({ stored }: Message): number {
  return stored!.id
}

function recordOf(message: Message): MessageRecord {
  const { version, qos, retain, expiresAt } = message
  return {
    id: idOf(message),
    frame: message.bytes.subarray(message.start, message.end),
    version,
    qos,
    retain,
    expiresAt,
  }
}

type AckCode = Parameters<Connection['acknowledge']>[2]

const NONE: readonly number[] = []
const NO_MEMORY: readonly ArrayBuffer[] = []

function stateSent(qos: number): number {
  return qos === 1 ? AWAITING_PUBACK : AWAITING_PUBREC
}
