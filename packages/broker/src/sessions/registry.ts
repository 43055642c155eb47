import type { Delivery } from '../routing/delivery.ts'
import type { Router } from '../routing/router.ts'
import type { SharedGroup } from '../routing/shared.ts'
import { Session, type SessionHost } from './session.ts'

/** What the registry tells the broker. */
export interface RegistryHost extends SessionHost {
  /** A session ended: its will is due, its shared messages go to others.
   *  @returns when hooks have said what becomes of the will, if they have to be awaited */
  sessionEnded(session: Session, left: ReturnType<Session['clear']>): Promise<void> | undefined
  /** Gives shared messages to other members than the one that had them. */
  redistribute(deliveries: readonly Delivery[], except: Session): void
  now(): number
}

/** All sessions by client identifier.
 *  @see MQTT 5.0, 4.1 */
export class SessionRegistry {
  /** Sessions that have ended because their client did not come back in time. */
  expiredCount = 0
  private readonly sessions = new Map<string, Session>()
  /** Sessions without connection that will expire. */
  private readonly expiring = new Set<Session>()
  private readonly host: RegistryHost
  private readonly router: Router

  constructor(host: RegistryHost, router: Router) {
    this.host = host
    this.router = router
  }

  get size(): number {
    return this.sessions.size
  }

  get(clientId: string): Session | undefined {
    return this.sessions.get(clientId)
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.sessions.values()
  }

  /** The session for an accepted CONNECT: the old one goes on, or a new one begins.
   *  An older connection is taken over with 0x8E [MQTT-3.1.4-3]. */
  open(
    clientId: string,
    cleanStart: boolean,
    expiryInterval: number,
  ): { session: Session; sessionPresent: boolean } {
    const old = this.sessions.get(clientId)
    old?.connection?.disconnect(0x8e, 'session taken over')
    // A session that ended with its connection is gone by now.
    let session = this.sessions.get(clientId)
    if (session !== undefined && (cleanStart || this.expired(session))) {
      this.end(session)
      session = undefined
    }
    const sessionPresent = session !== undefined
    if (session === undefined) {
      session = new Session(clientId, expiryInterval, this.host)
      this.sessions.set(clientId, session)
    } else {
      this.expiring.delete(session)
      session.expiryInterval = expiryInterval
      session.expiresAt = Number.POSITIVE_INFINITY
    }
    if (session.persistent || session.storeId !== 0) this.host.journal?.session(session)
    return { session, sessionPresent }
  }

  /** Puts back a session that an earlier process held. */
  restore(session: Session): void {
    this.sessions.set(session.clientId, session)
    if (session.expiresAt !== Number.POSITIVE_INFINITY) this.expiring.add(session)
  }

  /** A session's connection ended: it is kept as long as it asked for. */
  release(session: Session): void {
    session.disconnect(this.host.now())
    if (session.persistent && session.storeId !== 0) this.host.journal?.session(session)
    if (session.subscriptions !== undefined) this.router.changed()
    if (!session.persistent) this.end(session)
    else {
      this.reassign(session)
      if (session.expiresAt !== Number.POSITIVE_INFINITY) this.expiring.add(session)
    }
  }

  /** Ends sessions whose time has come. */
  sweep(): void {
    for (const session of this.expiring) {
      if (!this.expired(session)) continue
      this.expiredCount++
      this.end(session)
    }
  }

  /** Ends a session now: subscriptions and queued messages are gone. */
  end(session: Session): void {
    this.sessions.delete(session.clientId)
    this.expiring.delete(session)
    if (session.subscriptions !== undefined) {
      for (const subscription of session.subscriptions.values()) this.router.remove(subscription)
      session.subscriptions = undefined
    }
    const unreleased = session.unreleased()
    const left = session.clear()
    const asked = this.host.sessionEnded(session, left)
    // The session on the disk holds the will: both stay there until it is on its way.
    const forget = (): void => this.host.journal?.sessionEnded(session, left, unreleased)
    if (asked === undefined) forget()
    else void asked.then(forget)
  }

  private expired(session: Session): boolean {
    return session.connection === undefined && session.expiresAt <= this.host.now()
  }

  /** Shared messages that an absent member has not acknowledged go to members who are there. */
  private reassign(session: Session): void {
    if (session.subscriptions === undefined) return
    const shared = new Set<SharedGroup>()
    for (const { group } of session.subscriptions.values()) {
      if (group?.members.some((member) => member.session.online)) shared.add(group)
    }
    if (shared.size > 0) this.host.redistribute(session.withdrawShared(shared), session)
  }
}
