import type { SharedFilter } from '../topics/filters.ts'
import { utf8Length } from './utf8.ts'

const SHARED = /^\$share\/([^/+#]+)\/(.+)$/s
const LEVELS = /^((\+|[^+#/]*)\/)*(\+|#|[^+#/]*)$/

/** Topic Filters in few words. @see topics/filters.ts */
export function checkTopicFilter(filter: string): void {
  utf8Length(filter, 'topic filter')
  const unshared = filter.startsWith('$share/') ? parseSharedFilter(filter)?.topicFilter : filter
  if (!unshared || !LEVELS.test(unshared))
    throw new RangeError(`${JSON.stringify(filter)} is no Topic Filter`)
}

export function parseSharedFilter(filter: string): SharedFilter | undefined {
  const [, shareName, topicFilter] = SHARED.exec(filter) ?? []
  return shareName === undefined || topicFilter === undefined ? undefined : { shareName, topicFilter }
}

export function matches(filter: string, topic: string): boolean {
  const levels = filter.split('/')
  const names = topic.split('/')
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const open = levels.at(-1) === '#'
  if (open) levels.pop()
  return (
    (open || levels.length === names.length) &&
    levels.every((level, i) => level === names[i] || (level === '+' && i < names.length))
  )
}
