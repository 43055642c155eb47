/** Two filters that some topic may match both, if there are such. */
export function overlapping(filters: readonly string[]): readonly [string, string] | undefined {
  for (const [i, one] of filters.entries()) {
    for (const other of filters.slice(i + 1))
      if (overlap(one.split('/'), other.split('/'))) return [one, other]
  }
  return undefined
}

function overlap(a: readonly string[], b: readonly string[]): boolean {
  for (let i = 0; ; i++) {
    const [left, right] = [a[i], b[i]]
    if (left === '#' || right === '#') return true
    // `a/#` matches `a` as well; two filters that end here are alike.
    if (left === undefined || right === undefined) return left === right
    if (left !== right && left !== '+' && right !== '+') return false
  }
}
