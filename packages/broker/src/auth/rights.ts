import type { Acl, AclAction, AclDecision, AclSubject } from './acl.ts'
import type { HttpAccess } from './http-access.ts'

/** What one client may do. */
export interface Rights {
  mayPublish(topic: string): boolean | Promise<boolean>
  maySubscribe(filter: string): boolean | Promise<boolean>
  mayReceive(topic: string): boolean
  /** Says whether what it published here may still be shown to others. A service is not asked again. */
  mayStillPublish(topic: string): boolean
}

/** Where a client's rights are looked up: what is in force changes when files are read again. */
export interface RuleSource {
  /** Undefined: there is no ACL file. */
  readonly acl: Acl | undefined
  readonly http: HttpAccess | undefined
  /** Takes note of what was denied. */
  denied(subject: AclSubject, action: AclAction, topic: string, decision: AclDecision): void
}

/** The rights of a client by its own rules, those of a file, or a service. */
export class SubjectRights implements Rights {
  private readonly subject: AclSubject
  private readonly source: RuleSource
  /** Rules that came with the client, in place of the file's. */
  private readonly own: Acl | undefined

  constructor(subject: AclSubject, source: RuleSource, own: Acl | undefined) {
    this.subject = subject
    this.source = source
    this.own = own
  }

  mayPublish(topic: string): boolean | Promise<boolean> {
    return this.asks('publish', topic) ?? this.decides('write', topic)
  }

  maySubscribe(filter: string): boolean | Promise<boolean> {
    return this.asks('subscribe', filter) ?? this.decides('subscribe', filter)
  }

  mayReceive(topic: string): boolean {
    return this.decides('read', topic)
  }

  mayStillPublish(topic: string): boolean {
    const acl = this.own ?? this.source.acl
    return acl === undefined || acl.decide(this.subject, 'write', topic).allowed
  }

  private asks(access: 'publish' | 'subscribe', topic: string): Promise<boolean> | undefined {
    if (this.own !== undefined || this.source.http?.decides !== true) return undefined
    return this.source.http.authorize(this.subject, access, topic)
  }

  private decides(action: AclAction, topic: string): boolean {
    const acl = this.own ?? this.source.acl
    if (acl === undefined) return true
    const decision = acl.decide(this.subject, action, topic)
    if (!decision.allowed) this.source.denied(this.subject, action, topic, decision)
    return decision.allowed
  }
}

/** Of a client of whom nothing is known any more: it was here before the broker was started, through a listener
 *  with rules of its own. */
export const NO_RIGHTS: Rights = {
  mayPublish: () => false,
  maySubscribe: () => false,
  mayReceive: () => false,
  mayStillPublish: () => false,
}
