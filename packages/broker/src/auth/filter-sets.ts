/** Filters as sets of topics: what they have in common, and which holds which. */

/** The filter of all topics that match both; undefined when there are none. */
export function intersection(a: string, b: string): string | undefined {
  const [left, right] = [a.split('/'), b.split('/')]
  // Wildcards in front match no topic that begins with $.
  if (isSystem(left[0]) !== isSystem(right[0])) {
    const other = isSystem(left[0]) ? right[0] : left[0]
    if (other === '#' || other === '+') return undefined
  }
  const both: string[] = []
  for (let i = 0; ; i++) {
    const [l, r] = [left[i], right[i]]
    if (l === '#') return [...both, ...right.slice(i)].join('/')
    if (r === '#') return [...both, ...left.slice(i)].join('/')
    if (l === undefined && r === undefined) return both.join('/')
    if (l === undefined || r === undefined) return undefined
    if (l !== '+' && r !== '+' && l !== r) return undefined
    both.push(l === '+' ? r : l)
  }
}

/** Says whether every topic that matches `inner` matches `outer`. */
export function covers(outer: string, inner: string): boolean {
  const [out, into] = [outer.split('/'), inner.split('/')]
  if (isSystem(into[0]) && !isSystem(out[0])) return false
  for (let i = 0; ; i++) {
    const [o, n] = [out[i], into[i]]
    if (o === '#') return true
    if (o === undefined || n === undefined) return o === n
    if (n === '#') return false
    if (o !== '+' && o !== n) return false
  }
}

function isSystem(level: string | undefined): boolean {
  return level?.startsWith('$') === true
}
