import type { Message } from '../routing/message.ts'
import type { Journal, StoredWill } from '../storage/journal.ts'
import type { Session } from './session.ts'

/** Publishes a will; the promise, if any, says when hooks have answered and it is on its way. */
export type PublishWill = (session: Session, message: Message) => Promise<void> | undefined

/** Wills of connections that have ended and whose delay has not passed; and, where the session is stored, those of
 *  clients that are there, so that a crash of the broker is an end of the connection like any other.
 *  @see MQTT 5.0, 3.1.3.2.2 */
export class Wills {
  /** Where they are written; undefined: nowhere. */
  journal: Journal | undefined = undefined
  private readonly pending = new Map<Session, StoredWill>()
  /** By connection: one that is let in has its will on the disk before its client is told so. */
  private readonly announced = new Map<object, StoredWill>()
  /** The one that storage has of each session. */
  private readonly written = new Map<Session, StoredWill>()
  /** Hooks have been asked about these. */
  private readonly asking = new Map<Session, Promise<void>>()
  private readonly publish: PublishWill

  constructor(publish: PublishWill) {
    this.publish = publish
  }

  /** A client with a stored session is being let in, with this will.
   *  @param delay Will Delay Interval, seconds */
  announce(connection: object, session: Session, message: Message, delay: number): void {
    const will = { message, at: Number.POSITIVE_INFINITY, delay, isStored: false }
    this.announced.set(connection, will)
    this.write(session, will)
  }

  /** A client was let in: what was pending of its session is not published [MQTT-3.1.3-9]. */
  connected(connection: object, session: Session): void {
    const due = this.pending.get(session)
    this.pending.delete(session)
    if (due !== undefined) this.journal?.willGone(due)
    this.write(session, this.announced.get(connection))
  }

  /** A connection has no will any more: its client took it back, or was not let in after all. */
  withdraw(connection: object, session: Session): void {
    const will = this.announced.get(connection)
    if (will === undefined) return
    this.announced.delete(connection)
    if (this.written.get(session) === will) this.write(session, this.pending.get(session))
    this.journal?.willGone(will)
  }

  /** A connection ended with a will in place: it is published now, or after its delay.
   *  @param message when it was not announced
   *  @param delay Will Delay Interval, seconds */
  arm(connection: object, session: Session, message: () => Message, delay: number, now: number): void {
    const will = this.announced.get(connection)
    this.announced.delete(connection)
    const due = {
      message: will?.message ?? message(),
      at: now + delay * 1000,
      delay,
      isStored: will?.isStored ?? false,
    }
    if (delay === 0 || !session.persistent) return this.release(session, due, will)
    this.pending.set(session, due)
    this.write(session, due)
  }

  /** Puts back a will that an earlier process had; the delay of one whose client was connected begins now. */
  restore(session: Session, message: Message, at: number, delay: number, now: number): void {
    const due = at === Number.POSITIVE_INFINITY ? now + delay * 1000 : at
    const will = { message, at: due, delay, isStored: true }
    this.pending.set(session, will)
    this.written.set(session, will)
  }

  /** The session ends before the delay has passed: the will is due now.
   *  @returns when hooks have answered, if they have to be awaited: until then the will is to be kept */
  sessionEnded(session: Session): Promise<void> | undefined {
    const due = this.pending.get(session)
    if (due !== undefined) this.release(session, due)
    return this.asking.get(session)
  }

  /** Publishes the wills whose delay has passed. */
  sweep(now: number): void {
    for (const [session, due] of this.pending) if (due.at <= now) this.release(session, due)
  }

  /** @param row the same will as storage knows it */
  private release(session: Session, due: StoredWill, row: StoredWill | undefined = due): void {
    this.pending.delete(session)
    const gone = (): void => {
      this.asking.delete(session)
      if (this.written.get(session) === row) this.write(session, undefined)
      this.journal?.willGone(due)
    }
    const asked = this.publish(session, due.message)
    if (asked === undefined) return gone()
    this.asking.set(session, asked.then(gone))
  }

  /** Storage has this will of the session from now on, and no other. */
  private write(session: Session, will: StoredWill | undefined): void {
    const { journal, written } = this
    if (journal === undefined || written.get(session) === will) return
    if (will === undefined) {
      written.delete(session)
      journal.noWill(session)
    } else if (session.storeId !== 0) {
      written.set(session, will)
      journal.will(session, will)
    }
  }
}
