/** Wildcards in a pattern: more of them cost time and narrow little. */
const WILDCARDS = 8
/** Characters of a pattern. */
const LENGTH = 1_000

/** A pattern of LIKE that every topic fits which a Topic Filter matches, and others too. It narrows; what matches is
 *  decided by the protocol's own rule. @param filter undefined: everything */
export function patternOf(filter: string | undefined): string {
  if (filter === undefined) return '%'
  const levels = filter.split('/')
  // `a/#` matches `a` as well.
  const isOpen = levels.at(-1) === '#'
  const parts: string[] = []
  let wildcards = 0
  for (const level of isOpen ? levels.slice(0, -1) : levels) {
    const part = level === '+' ? '%' : level.replace(/[\\%_]/g, '\\$&')
    if (level === '+') wildcards++
    if (wildcards > WILDCARDS || parts.join('/').length + part.length > LENGTH) return `${parts.join('/')}%`
    parts.push(part)
  }
  return `${parts.join('/')}${isOpen ? '%' : ''}`
}
