import { utf8Length } from '../codec/utf8.ts'
import { hasWildcard } from './names.ts'

const SHARE = '$share/'

/** The parts of a Shared Subscription's filter.
 *  @see MQTT 5.0, 4.8.2 */
export interface SharedFilter {
  readonly shareName: string
  readonly topicFilter: string
}

/** What is wrong with a Topic Filter, as a phrase, or undefined. Shared forms are checked as such.
 *  @see MQTT 5.0, 4.7.1 and 4.8.2 */
export function topicFilterFault(filter: string): string | undefined {
  return wildcardFault(filter) ?? sharedFilterFault(filter)
}

/** What is wrong with a filter that begins with `$share/`, beside its wildcards; undefined for any other.
 *  @see MQTT 5.0, 4.8.2 */
export function sharedFilterFault(filter: string): string | undefined {
  if (!filter.startsWith(SHARE)) return undefined
  const slash = filter.indexOf('/', SHARE.length)
  if (slash < 0) return `a shared filter is $share/{ShareName}/{filter}: ${JSON.stringify(filter)}`
  if (slash === SHARE.length) return `the ShareName is empty: ${JSON.stringify(filter)}`
  if (hasWildcard(filter.slice(SHARE.length, slash))) {
    return `the ShareName holds a wildcard: ${JSON.stringify(filter)}`
  }
  if (slash === filter.length - 1)
    return `the filter behind the ShareName is empty: ${JSON.stringify(filter)}`
  return undefined
}

/** What is wrong with a filter's length or wildcards, as a phrase, or undefined.
 *  @see MQTT 5.0, 4.7.1 and 4.7.3 */
export function wildcardFault(filter: string): string | undefined {
  if (filter.length === 0) return 'a Topic Filter is at least one character'
  for (let i = 0; i < filter.length; i++) {
    const c = filter.charCodeAt(i)
    if (c === 0x23) {
      if (i !== filter.length - 1) return `# is not last: ${JSON.stringify(filter)}`
      if (i > 0 && filter.charCodeAt(i - 1) !== 0x2f)
        return `# does not follow a slash: ${JSON.stringify(filter)}`
    } else if (c === 0x2b) {
      const alone =
        (i === 0 || filter.charCodeAt(i - 1) === 0x2f) &&
        (i === filter.length - 1 || filter.charCodeAt(i + 1) === 0x2f)
      if (!alone) return `+ does not fill a whole level: ${JSON.stringify(filter)}`
    }
  }
  return undefined
}

/** @throws TypeError or RangeError when `filter` cannot be subscribed to */
export function checkTopicFilter(filter: string): void {
  utf8Length(filter, 'topic filter')
  const fault = topicFilterFault(filter)
  if (fault !== undefined) throw new RangeError(fault)
}

/** The parts of a shared filter; undefined for any other, such as `$share/x`, which 3.x takes as an ordinary one. */
export function parseSharedFilter(filter: string): SharedFilter | undefined {
  if (!filter.startsWith(SHARE) || sharedFilterFault(filter) !== undefined) return undefined
  const slash = filter.indexOf('/', SHARE.length)
  return { shareName: filter.slice(SHARE.length, slash), topicFilter: filter.slice(slash + 1) }
}

/** Says whether a valid, non-shared filter matches a Topic Name.
 *  @see MQTT 5.0, 4.7 */
export function matches(filter: string, topic: string): boolean {
  let f = 0
  let t = 0
  const first = filter.charCodeAt(0)
  // Wildcards at the first level leave topics with $ alone [MQTT-4.7.2-1].
  if ((first === 0x23 || first === 0x2b) && topic.charCodeAt(0) === 0x24) return false
  while (f < filter.length) {
    const c = filter.charCodeAt(f)
    if (c === 0x23) return true
    if (c === 0x2b) {
      while (t < topic.length && topic.charCodeAt(t) !== 0x2f) t++
      f++
    } else {
      if (t >= topic.length) return isParentMatch(filter, f, c)
      if (c !== topic.charCodeAt(t)) return false
      f++
      t++
    }
  }
  return t === topic.length
}

/** `sport/#` matches `sport` as well: what is left of the filter is `/#`. */
function isParentMatch(filter: string, f: number, c: number): boolean {
  return c === 0x2f && f === filter.length - 2 && filter.charCodeAt(f + 1) === 0x23
}
