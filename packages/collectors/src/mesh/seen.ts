/** Remembers packets by sender and id, the newest of them: two generations, each bounded. */
export class Seen {
  private readonly limit: number
  private count = 0
  private young = new Map<number, Set<number>>()
  private old = new Map<number, Set<number>>()

  /** @param limit packets of a generation; between once and twice as many are remembered */
  constructor(limit = 50_000) {
    this.limit = limit
  }

  /** Takes note of a packet. @returns whether it was known */
  add(from: number, id: number): boolean {
    if (this.young.get(from)?.has(id) === true || this.old.get(from)?.has(id) === true) return true
    if (this.count >= this.limit) {
      this.old = this.young
      this.young = new Map()
      this.count = 0
    }
    this.count++
    const ids = this.young.get(from)
    if (ids === undefined) this.young.set(from, new Set([id]))
    else ids.add(id)
    return false
  }
}
