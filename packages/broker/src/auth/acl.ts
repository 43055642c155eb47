import { matches, parseSharedFilter, topicFilterFault } from '@pipit/protocol'
import { covers, intersection } from './filter-sets.ts'

/** What a client wants to do; `read`: get a message of a topic. */
export type AclAction = 'read' | 'write' | 'subscribe'

export type AclVerb = 'read' | 'write' | 'readwrite' | 'subscribe' | 'deny'

/** One rule, and where it stands. */
export interface AclRule {
  readonly verb: AclVerb
  /** Of `deny`: what is denied; undefined: everything. */
  readonly only?: AclAction | undefined
  /** A Topic Filter; %u and %c in it stand for user name and Client Identifier when it is a pattern. */
  readonly topic: string
  readonly isPattern: boolean
  /** From 1. */
  readonly line: number
}

/** Rules in the order in which Mosquitto asks them: denials before the others. */
export class RuleList {
  readonly denials: AclRule[] = []
  readonly grants: AclRule[] = []

  add(rule: AclRule): void {
    if (rule.verb === 'deny') this.denials.push(rule)
    else this.grants.push(rule)
  }
}

/** A client, as rules know it. */
export interface AclSubject {
  readonly clientId: string
  /** Undefined: nobody in particular. */
  readonly username: string | undefined
}

export interface AclDecision {
  readonly allowed: boolean
  /** Undefined: no rule speaks of it, or a name cannot be used in patterns. */
  readonly rule: AclRule | undefined
  /** Why, where no rule says so. */
  readonly why?: string
}

/** What an ACL file says. */
export interface AclRules {
  /** For clients without user name. */
  readonly anonymous: RuleList
  readonly users: ReadonlyMap<string, RuleList>
  /** For everyone. */
  readonly patterns: RuleList
  /** True: a denial for everyone is stronger than what a user is granted. In Mosquitto's files it is weaker. */
  readonly denyFirst: boolean
}

/** What came of reading an ACL. */
export interface ParsedAcl {
  readonly acl: Acl
  /** `acl:3: …` */
  readonly faults: readonly string[]
}

/** Decides by the rules of an ACL file, as Mosquitto 2.0 does by its own. */
export class Acl {
  /** The file's name, for people. */
  readonly name: string
  private readonly rules: AclRules

  constructor(name: string, rules: AclRules) {
    this.name = name
    this.rules = rules
  }

  /** @param topic a Topic Name, or for `subscribe` a Topic Filter */
  decide(subject: AclSubject, action: AclAction, topic: string): AclDecision {
    const { anonymous, users, patterns, denyFirst } = this.rules
    const own = subject.username === undefined ? anonymous : users.get(subject.username)
    const filter = action === 'subscribe' ? (parseSharedFilter(topic)?.topicFilter ?? topic) : topic
    const hasPatterns = patterns.denials.length + patterns.grants.length > 0
    const asker = new Asker(subject, action, filter)
    if (own !== undefined) {
      const denied = asker.denial(own) ?? (denyFirst ? asker.denial(patterns) : undefined)
      const rule = denied ?? asker.grant(own)
      if (rule !== undefined) return { allowed: rule.verb !== 'deny', rule }
    }
    if (hasPatterns && !denyFirst && !asker.isUsable) return WRONG_NAME
    const rule = asker.denial(patterns) ?? asker.grant(patterns)
    return rule === undefined ? NO_RULE : { allowed: rule.verb !== 'deny', rule }
  }
}

const NO_RULE: AclDecision = { allowed: false, rule: undefined, why: 'no rule allows it' }

const WRONG_NAME: AclDecision = {
  allowed: false,
  rule: undefined,
  why: 'a user name or client identifier with + # or / in it does not go with patterns',
}

const NAMES = /%[uc]/g

/** One question, put to lists of rules. */
class Asker {
  private readonly subject: AclSubject
  private readonly action: AclAction
  private readonly topic: string
  /** Names are put into filters: one with a wildcard, or a level of its own, would reach beyond its client's. */
  readonly isUsable: boolean
  private readonly denials: string[] = []

  constructor(subject: AclSubject, action: AclAction, topic: string) {
    this.isUsable = !/[+#/]/.test(subject.clientId + (subject.username ?? ''))
    this.subject = subject
    this.action = action
    this.topic = topic
  }

  denial(list: RuleList): AclRule | undefined {
    const { action, topic } = this
    for (const rule of list.denials) {
      // Who gets nothing of a filter need not subscribe to it.
      const isAbout = rule.only === undefined || rule.only === action
      if (!isAbout && !(action === 'subscribe' && rule.only === 'read')) continue
      // Nobody gets around a denial by an odd name.
      const filter =
        this.isUsable || !rule.isPattern ? this.filterOf(rule) : rule.topic.replaceAll(NAMES, '+')
      if (filter === undefined) continue
      if (action === 'subscribe') this.denials.push(filter)
      if (action === 'subscribe' ? covers(filter, topic) : matches(filter, topic)) return rule
    }
    return undefined
  }

  grant(list: RuleList): AclRule | undefined {
    for (const rule of list.grants) {
      const filter = this.filterOf(rule)
      if (filter !== undefined && this.grants(rule.verb, filter)) return rule
    }
    return undefined
  }

  private grants(verb: AclVerb, filter: string): boolean {
    const { action, topic } = this
    if (action === 'write') return (verb === 'write' || verb === 'readwrite') && matches(filter, topic)
    if (verb === 'write') return false
    if (action === 'read') return matches(filter, topic)
    if (verb === 'subscribe') return covers(filter, topic)
    // `read` is Mosquitto's: it lets a filter through that is wider than it, and only what may be read is sent. A
    // filter of which nothing may be read is refused.
    const both = intersection(filter, topic)
    return both !== undefined && !this.denials.some((denied) => covers(denied, both))
  }

  /** The rule's filter for this client; undefined when it is about a user name and there is none. */
  private filterOf({ topic, isPattern }: AclRule): string | undefined {
    if (!isPattern) return topic
    if (!this.isUsable) return undefined
    const { clientId, username } = this.subject
    if (username === undefined && topic.includes('%u')) return undefined
    return topic.replaceAll(NAMES, (name) => (name === '%c' ? clientId : (username ?? '')))
  }
}

/** The list of a user, made when it is the first. */
export function listOf(users: Map<string, RuleList>, username: string): RuleList {
  const list = users.get(username) ?? new RuleList()
  users.set(username, list)
  return list
}

/** What is wrong with a rule's topic, or nothing. */
export function topicFault(topic: string): string | undefined {
  const fault = topicFilterFault(topic)
  return fault === undefined ? undefined : `${JSON.stringify(topic)} is no Topic Filter: ${fault}`
}
