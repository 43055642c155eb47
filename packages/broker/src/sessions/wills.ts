import type { Message } from '../routing/message.ts'
import type { Journal } from '../storage/journal.ts'
import type { Session } from './session.ts'

interface PendingWill {
  readonly message: Message
  readonly at: number
}

/** Wills of connections that have ended and whose delay has not passed.
 *  @see MQTT 5.0, 3.1.3.2.2 */
export class PendingWills {
  private readonly pending = new Map<Session, PendingWill>()
  /** Where they are written; undefined: nowhere. */
  journal: Journal | undefined = undefined
  private readonly publish: (session: Session, message: Message) => void

  constructor(publish: (session: Session, message: Message) => void) {
    this.publish = publish
  }

  /** A connection ended with a will in place: it is published now, or after its delay.
   *  @param delay Will Delay Interval, seconds */
  arm(session: Session, message: Message, delay: number, now: number): void {
    if (delay === 0 || !session.persistent) return this.publish(session, message)
    const at = now + delay * 1000
    this.pending.set(session, { message, at })
    this.journal?.will(session, message, at)
  }

  /** Puts back a will that an earlier process had pending. */
  restore(session: Session, message: Message, at: number): void {
    this.pending.set(session, { message, at })
  }

  /** The client is back in time: no will [MQTT-3.1.3-9]. */
  cancel(session: Session): void {
    const due = this.pending.get(session)
    if (due === undefined) return
    this.pending.delete(session)
    this.journal?.willGone(session, due.message)
  }

  /** The session ends before the delay has passed: the will is due now. */
  sessionEnded(session: Session): void {
    const due = this.pending.get(session)
    if (due === undefined) return
    this.release(session, due.message)
  }

  /** Publishes the wills whose delay has passed. */
  sweep(now: number): void {
    for (const [session, due] of this.pending) {
      if (due.at > now) continue
      this.release(session, due.message)
    }
  }

  private release(session: Session, message: Message): void {
    this.pending.delete(session)
    this.publish(session, message)
    this.journal?.willGone(session, message)
  }
}
