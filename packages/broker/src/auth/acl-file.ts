import { contentsOf } from '../files.ts'
import { Acl, type AclRule, type AclVerb, listOf, type ParsedAcl, RuleList, topicFault } from './acl.ts'
import { parseYamlAcl } from './acl-yaml.ts'

/** What is wrong with an ACL file: a line for each fault, with its place and what would be right. */
export class AclError extends Error {
  readonly code = 'ACL'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.name = 'AclError'
    this.faults = faults
  }
}

/** Reads an ACL file: YAML when its name says so, otherwise Mosquitto's format.
 *  @throws AclError, or Error when it cannot be read */
export async function readAcl(file: string): Promise<Acl> {
  const text = await contentsOf(file)
  return /\.ya?ml$/.test(file) ? parsed(parseYamlAcl(text, file)) : parsed(parseMosquittoAcl(text, file))
}

function parsed({ acl, faults }: ParsedAcl): Acl {
  if (faults.length > 0) throw new AclError(faults)
  return acl
}

/** Reads Mosquitto's acl_file: `user NAME`, `topic [read|write|readwrite|deny] TOPIC`, `pattern …`; topics before
 *  the first user are those of clients without user name. */
export function parseMosquittoAcl(text: string, name: string): ParsedAcl {
  const anonymous = new RuleList()
  const users = new Map<string, RuleList>()
  const patterns = new RuleList()
  const faults: string[] = []
  let current = anonymous
  for (const [i, given] of text.split('\n').entries()) {
    const said = given.trimEnd()
    if (said === '' || said.startsWith('#')) continue
    const [, keyword = '', rest = ''] = /^ *([^ ]*) *(.*)$/.exec(said) ?? []
    if (keyword === 'user') {
      if (rest === '') faults.push(`${name}:${i + 1}: "user" without a name; it takes: user NAME`)
      current = listOf(users, rest)
    } else if (keyword === 'topic' || keyword === 'pattern') {
      const rule = parseRule(rest, i + 1, keyword === 'pattern')
      if (typeof rule === 'string') faults.push(`${name}:${i + 1}: ${rule}`)
      else (keyword === 'pattern' ? patterns : current).add(rule)
    } else {
      const known = 'it takes lines that begin with user, topic or pattern'
      faults.push(`${name}:${i + 1}: ${JSON.stringify(keyword)} is not known; ${known}`)
    }
  }
  return { acl: new Acl(name, { anonymous, users, patterns, denyFirst: false }), faults }
}

const VERBS: readonly string[] = ['read', 'write', 'readwrite', 'deny'] satisfies AclVerb[]

/** A rule as Mosquitto writes it, without its first word; a text says what is wrong. */
function parseRule(said: string, line: number, isPattern: boolean): AclRule | string {
  const [, first = '', second = ''] = /^([^ ]*) *(.*)$/.exec(said) ?? []
  if (first === '') return 'there is no topic; it takes: topic [read|write|readwrite|deny] TOPIC'
  if (second !== '' && !VERBS.includes(first)) {
    return `"${first}" is not known; it takes read, write, readwrite or deny in front of the topic`
  }
  const verb = second === '' ? 'readwrite' : (first as AclVerb)
  const topic = second === '' ? first : second
  return topicFault(topic) ?? { verb, topic, isPattern, line }
}
