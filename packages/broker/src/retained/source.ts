import type { Rights } from '../auth/rights.ts'
import type { Session } from '../sessions/session.ts'

/** Who published a retained message: asked at each replay whether it still might. */
export interface RetainSource {
  readonly clientId: string
  readonly username: string | undefined
  /** What it may do; undefined: it has to be looked up, because another process let it in, or nothing limited it. */
  readonly rights: Rights | undefined
}

/** The sources of sessions: one object for all that a client publishes. */
export class RetainSources {
  private readonly known = new WeakMap<Session, RetainSource>()

  /** Undefined: it is nobody who could lose the right to publish. */
  of(publisher: Session | undefined): RetainSource | undefined {
    if (publisher === undefined || publisher.isTrusted) return undefined
    const { clientId, username, rights } = publisher
    const before = this.known.get(publisher)
    // A session may become another user's.
    if (before !== undefined && before.username === username && before.rights === rights) return before
    const source = { clientId, username, rights }
    this.known.set(publisher, source)
    return source
  }
}
