// Longer than most files: each transition of a message (queued, in flight, again, settled) changes queue, quota,
// journal and promise together, and nothing may come in between; apart, the pieces would share all their state.

import {
  AWAITING_PUBCOMP,
  NO_PROPERTIES,
  Outbound,
  type Puback,
  type Pubcomp,
  type Pubrec,
} from '@pipit/protocol'
import { describeReason } from './describe-reason.ts'
import { RequestRefusedError, SessionEndedError } from './errors.ts'
import type { Expiry } from './expiry.ts'
import type { Journal, Restored } from './journal.ts'
import type { Link } from './link.ts'
import type { Counters } from './metrics.ts'
import type { Platform } from './platform.ts'
import { NO_PAYLOAD, type Publication, type PublishResult, SUCCESS } from './publication.ts'
import { PublishQueue, type QueueOptions } from './publish-queue.ts'
import type { Quarantine } from './quarantine.ts'
import type { policyOf } from './queue-policies.ts'
import { faultOf } from './server-limits.ts'

/** What every QoS 0 publish that is buffered at once gives. */
const SENT: Promise<PublishResult> = Promise.resolve(SUCCESS)

export interface OutboxOptions {
  readonly platform: Platform
  readonly queue: QueueOptions
  readonly policies: typeof policyOf | undefined
  readonly expiry: Expiry | undefined
  readonly quarantine: ((outbound: Outbound<Publication>) => Quarantine) | undefined
  readonly journal: Journal | undefined
  readonly counters: Counters
  readonly report: (error: unknown) => void
}

/** The sending half of a session: what waits, what is in flight, and who waits for it. */
export class Outbox {
  readonly queue: PublishQueue
  private readonly outbound = new Outbound<Publication>()
  private readonly now: () => number
  private readonly expiry: Expiry | undefined
  private readonly quarantine: Quarantine | undefined
  private link: Link | undefined = undefined
  /** Identifiers to send again on this connection, in order. */
  private again: number[] = []
  private idle: (() => void)[] = []

  private readonly journal: Journal | undefined
  /** What an earlier process left is back. */
  private opened: boolean
  private readonly counters: Counters
  private readonly report: (error: unknown) => void

  constructor(options: OutboxOptions) {
    this.now = options.platform.now
    this.journal = options.journal
    this.opened = options.journal === undefined
    this.counters = options.counters
    this.report = options.report
    this.expiry = options.expiry
    this.quarantine = options.quarantine?.(this.outbound)
    this.queue = new PublishQueue(
      options.queue,
      this.counters.drop,
      (publication) => this.erase(publication),
      options.policies,
    )
  }

  get inFlight(): number {
    return this.outbound.inFlight
  }

  /** Takes an identifier for SUBSCRIBE or UNSUBSCRIBE. */
  reserve(): number {
    return this.outbound.reserve()
  }

  release(packetId: number): boolean {
    return this.outbound.release(packetId)
  }

  /** Sends a message, or queues it.
   *  @returns a promise; QoS 0 that fits the buffer shares one */
  publish(publication: Publication): Promise<PublishResult> {
    const link = this.link
    if (link?.transport.writable && !this.mustQueue(publication)) {
      const fault = faultOf(publication, link)
      if (fault !== undefined) {
        publication.unwatch?.()
        return Promise.reject(fault)
      }
      if (publication.qos === 0 && publication.unwatch === undefined) {
        this.write(publication, link)
        return SENT
      }
      const promise = publication.promise()
      if (publication.qos > 0) this.journal?.keep(publication, this.now())
      this.send(publication, link)
      return promise
    }
    publication.queuedAt = this.now()
    const promise = publication.promise()
    this.queue.push(publication)
    if (publication.queue === this.queue) {
      this.expiry?.watch(publication)
      this.keepQueued(publication)
    }
    return promise
  }

  /** Takes up what an earlier process left, before what this one has queued meanwhile. */
  restore(restored: Restored): void {
    const since = this.queue.takeAll()
    for (const { publication, state } of restored.inFlight) {
      this.outbound.restore(publication.packetId, publication, state)
    }
    for (const publication of restored.queued) {
      this.queue.restore(publication)
      this.expiry?.watch(publication)
    }
    this.opened = true
    for (const publication of since) {
      this.queue.restore(publication)
      this.keepQueued(publication)
    }
  }

  private keepQueued(publication: Publication): void {
    if (this.opened && publication.qos > 0) {
      this.journal?.keepQueued(publication, this.now(), () => this.pump())
    }
  }

  /** The journal no longer needs a message. Nothing waits for that to be safe: at worst it is sent again. */
  private erase(publication: Publication): void {
    if (publication.number !== 0) this.journal?.erase(publication, this.report)
  }

  private mustQueue(publication: Publication): boolean {
    if (publication.qos === 0) return this.queue.atMostOnce > 0
    return this.queue.size > 0 || this.again.length > 0 || !this.outbound.canBegin
  }

  /** Begins a connection. @param resumed the server kept the session; otherwise what was in flight is over */
  attach(link: Link, resumed: boolean): void {
    this.link = link
    if (!resumed) this.endSession(new SessionEndedError('the server has no session'))
    for (const [publication, error] of this.quarantine?.takeOut() ?? []) {
      this.erase(publication)
      publication.fail(error)
    }
    this.again = this.outbound.unacknowledged()
    this.outbound.connect(this.quarantine?.windowOf(link) ?? link.serverReceiveMaximum)
    this.pump()
  }

  /** Ends a connection; what is in flight stays. */
  detach(error: unknown): void {
    if (this.link === undefined) return
    this.link = undefined
    const unsent = this.again
    this.again = []
    this.quarantine?.blame(error, unsent)
  }

  /** One that nobody waits for, as after a lost session, is ignored. @throws ProtocolError for one out of turn */
  puback(packet: Puback): void {
    const publication = this.outbound.puback(packet.packetId)
    if (publication === undefined) return
    this.settle(publication, packet)
  }

  pubrec(packet: Pubrec): void {
    const { packetId, reasonCode } = packet
    const publication = this.outbound.pubrec(packetId, reasonCode)
    if (publication === undefined) {
      // Nothing waits for it, as after a lost session: PUBREL ends the server's side.
      if (reasonCode < 0x80) this.link?.send({ type: 'PUBREL', packetId, reasonCode: 0 })
    } else if (reasonCode >= 0x80) this.settle(publication, packet)
    else {
      this.clear(publication)
      publication.payload = NO_PAYLOAD
      const link = this.link!
      const release = (): void => link.send({ type: 'PUBREL', packetId, reasonCode: 0 })
      if (this.journal === undefined) release()
      else {
        this.journal.keepPhase(publication, AWAITING_PUBCOMP)
        this.journal.safely(this.report, () => this.link === link && release())
      }
    }
  }

  pubcomp(packet: Pubcomp): void {
    const publication = this.outbound.pubcomp(packet.packetId)
    if (publication === undefined) return
    // 0x92: the server had completed it in an earlier connection. It has been delivered once.
    if (packet.reasonCode === 0x92) publication.succeed(SUCCESS)
    this.settle(publication, packet)
  }

  /** Sends what may be sent now: first what goes out again, then the queue. */
  pump(): void {
    const link = this.link
    if (link === undefined) return
    while (this.again.length > 0 && link.transport.writable) if (!this.sendAgain(link)) return
    while (link.transport.writable) {
      const publication = this.queue.peek()
      if (publication === undefined) break
      if (publication.qos > 0 && (!this.outbound.canBegin || !publication.safe)) return
      this.queue.shift()
      const fault = this.expiry?.errorOf(publication) ?? faultOf(publication, link)
      if (fault === undefined) this.send(publication, link)
      else {
        this.erase(publication)
        publication.fail(fault)
      }
    }
    this.checkIdle()
  }

  /** The session is over: what was in flight cannot be completed. What was never sent stays queued,
   *  and what an earlier process left is sent as new: nobody would hear of its loss. */
  private endSession(error: unknown): void {
    const orphans = this.journal?.orphans(this.outbound) ?? []
    for (const packetId of this.outbound.unacknowledged()) {
      const publication = this.outbound.message(packetId)
      if (publication === undefined || orphans.includes(publication)) continue
      this.erase(publication)
      publication.fail(error)
    }
    this.forgetInFlight()
    if (orphans.length > 0)
      for (const publication of [...orphans, ...this.queue.takeAll()]) this.queue.restore(publication)
  }

  /** Gives up everything that somebody waits for. What the journal has stays there for the next process. */
  fail(error: unknown): void {
    for (const packetId of this.outbound.unacknowledged()) this.outbound.message(packetId)?.fail(error)
    this.forgetInFlight()
    for (const publication of this.queue.takeAll()) publication.fail(error)
    this.checkIdle()
  }

  private forgetInFlight(): void {
    this.outbound.clear()
    this.again = []
    this.checkIdle()
  }

  /** Resolves when nothing is queued or in flight. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.idle.push(resolve)
      this.checkIdle()
    })
  }

  checkIdle(): void {
    if (this.idle.length === 0 || this.outbound.inFlight > 0 || this.queue.size > 0) return
    const waiters = this.idle
    this.idle = []
    for (const resolve of waiters) resolve()
  }

  private send(publication: Publication, link: Link): void {
    // First change, then write.
    if (publication.qos === 0) {
      this.write(publication, link)
      publication.succeed(SUCCESS)
      return
    }
    publication.packetId = this.outbound.begin(publication, publication.qos)
    if (this.journal === undefined) this.write(publication, link)
    else {
      this.journal.begin(publication).then(
        () => {
          if (this.link === link) this.write(publication, link)
        },
        (error: unknown) => {
          this.outbound.forget(publication.packetId)
          publication.fail(error)
        },
      )
    }
  }

  /** False when the quota is used up and the rest has to wait. */
  private sendAgain(link: Link): boolean {
    const packetId = this.again[0]!
    const publication = this.outbound.message(packetId)
    if (publication !== undefined) {
      const released = this.outbound.state(packetId) === AWAITING_PUBCOMP
      if (!released && this.outbound.quota.available <= 0) return false
      this.outbound.quota.take()
      if (released) link.send({ type: 'PUBREL', packetId, reasonCode: 0 })
      else {
        const fault = faultOf(publication, link)
        if (fault === undefined) {
          publication.dup = publication.wasSent
          this.write(publication, link)
        } else {
          this.outbound.forget(packetId)
          this.clear(publication)
          this.erase(publication)
          publication.fail(fault)
        }
      }
    }
    this.again.shift()
    return true
  }

  private write(publication: Publication, link: Link): void {
    this.counters.messagesSent++
    publication.wasSent = true
    link.write(this.expiry?.shortened(publication) ?? publication)
  }

  private settle(publication: Publication, packet: Puback | Pubrec | Pubcomp): void {
    const { reasonCode, properties } = packet
    this.clear(publication)
    if (publication.number !== 0) this.erase(publication)
    if (reasonCode >= 0x80) {
      const reason = describeReason(reasonCode, properties?.reasonString)
      publication.fail(
        new RequestRefusedError(`publish to ${publication.topic}: ${reason}`, reasonCode, properties),
      )
    } else if (reasonCode === 0 && properties === NO_PROPERTIES) publication.succeed(SUCCESS)
    else publication.succeed({ reasonCode, properties: properties ?? NO_PROPERTIES })
    if (this.queue.size > 0 || this.again.length > 0) this.pump()
    else if (this.idle.length > 0) this.checkIdle()
  }

  /** The server took a message: it is above suspicion. */
  private clear(publication: Publication): void {
    if (publication.losses > 0) this.quarantine?.clear(publication, this.link, this.again.length)
  }
}
