import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import {
  Acl,
  type AclAction,
  type AclRule,
  type AclVerb,
  listOf,
  type ParsedAcl,
  RuleList,
  topicFault,
} from './acl.ts'

/** Reads the ACL in YAML:
 *
 *  ```yaml
 *  everyone: [readwrite devices/%c/#]
 *  anonymous: [read public/#]
 *  groups:
 *    viewers: {members: [dashboard], rules: [subscribe sensors/#]}
 *  users:
 *    sensor_1: [write sensors/temp]
 *  ```
 *  A denial is stronger than any grant, wherever it stands. */
export function parseYamlAcl(text: string, name: string): ParsedAcl {
  return new YamlAcl(text, name).read()
}

const SECTIONS = ['everyone', 'anonymous', 'groups', 'users']

/** Reads rules that came without a file, such as a token's.
 *  @returns the ACL of one client; a text says which rule is wrong */
export function aclOf(rules: readonly string[], name: string): Acl | string {
  const patterns = new RuleList()
  for (const [i, said] of rules.entries()) {
    const rule = parseYamlRule(said, i + 1)
    if (typeof rule === 'string') return rule
    patterns.add(rule)
  }
  return new Acl(name, { anonymous: new RuleList(), users: new Map(), patterns, denyFirst: true })
}

class YamlAcl {
  private readonly name: string
  private readonly lines = new LineCounter()
  private readonly root: Node | null
  private readonly faults: string[] = []
  private readonly anonymous = new RuleList()
  private readonly users = new Map<string, RuleList>()
  private readonly everyone = new RuleList()

  constructor(text: string, name: string) {
    this.name = name
    const document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false, strict: true })
    this.root = document.contents
    for (const { message, pos } of [...document.errors, ...document.warnings]) {
      this.fault(pos[0], `not YAML: ${message}`)
    }
  }

  read(): ParsedAcl {
    if (this.faults.length === 0) {
      this.pairs(this.root, 'the file', (key, value, at) => {
        if (key === 'everyone') this.rules(value, key, this.everyone)
        else if (key === 'anonymous') this.rules(value, key, this.anonymous)
        else if (key === 'users')
          this.pairs(value, key, (user, rules) => this.rules(rules, user, listOf(this.users, user)))
        else if (key === 'groups') this.pairs(value, key, (group, said) => this.group(said, group))
        else this.fault(at, `there is no "${key}"; it takes ${SECTIONS.join(', ')}`)
      })
    }
    const { anonymous, users, everyone: patterns, faults } = this
    return { acl: new Acl(this.name, { anonymous, users, patterns, denyFirst: true }), faults }
  }

  private group(given: Node | null, name: string): void {
    const members: string[] = []
    const list = new RuleList()
    this.pairs(given, `group ${name}`, (key, value, at) => {
      if (key === 'rules') this.rules(value, name, list)
      else if (key === 'members') this.texts(value, name, (member) => members.push(member))
      else this.fault(at, `group ${name}: there is no "${key}"; it takes members and rules`)
    })
    for (const member of members) {
      const own = listOf(this.users, member)
      for (const rule of [...list.denials, ...list.grants]) own.add(rule)
    }
  }

  private rules(given: Node | null, of: string, list: RuleList): void {
    this.texts(given, of, (said, at) => {
      const rule = parseYamlRule(said, this.lines.linePos(at).line)
      if (typeof rule === 'string') this.fault(at, rule)
      else list.add(rule)
    })
  }

  private texts(given: Node | null, of: string, take: (text: string, at: number) => void): void {
    if (given === null || (isScalar(given) && given.value === null)) return
    if (!isSeq(given)) return this.fault(given.range?.[0] ?? 0, `${of} takes a list`)
    for (const item of given.items) {
      const at = (item as Node).range?.[0] ?? 0
      if (isScalar(item) && typeof item.value === 'string') take(item.value, at)
      else if (isScalar(item) && typeof item.value === 'number') take(String(item.value), at)
      else this.fault(at, `${of} takes a list of texts`)
    }
  }

  private pairs(
    given: Node | null,
    of: string,
    take: (key: string, value: Node | null, at: number) => void,
  ): void {
    if (given === null || (isScalar(given) && given.value === null)) return
    if (!isMap(given)) return this.fault(given.range?.[0] ?? 0, `${of} takes keys and values`)
    for (const { key, value } of given.items) {
      take(
        isScalar(key) ? String(key.value) : String(key),
        value as Node | null,
        (key as Node).range?.[0] ?? 0,
      )
    }
  }

  private fault(offset: number, text: string): void {
    this.faults.push(`${this.name}:${this.lines.linePos(offset).line}: ${text}`)
  }
}

const VERBS: readonly string[] = ['read', 'write', 'readwrite', 'subscribe', 'deny'] satisfies AclVerb[]
const ACTIONS: readonly string[] = ['read', 'write', 'subscribe'] satisfies AclAction[]

/** `VERB TOPIC`, or `deny ACTION TOPIC`; a text says what is wrong. */
function parseYamlRule(said: string, line: number): AclRule | string {
  const [, verb = '', rest = ''] = /^(\S+)\s+(.*\S)\s*$/.exec(said) ?? []
  if (!VERBS.includes(verb)) {
    return `${JSON.stringify(said)} is no rule; it takes read, write, readwrite, subscribe or deny, and a topic`
  }
  const [, action = '', behind = ''] = /^(\S+)\s+(.+)$/.exec(rest) ?? []
  const only = verb === 'deny' && ACTIONS.includes(action) ? (action as AclAction) : undefined
  const topic = only === undefined ? rest : behind
  const isPattern = /%[uc]/.test(topic)
  return topicFault(topic) ?? { verb: verb as AclVerb, only, topic, isPattern, line }
}
