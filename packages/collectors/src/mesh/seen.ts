/** Remembers packets by sender and id, the newest of them: two generations, each bounded. */
export class Seen {
  private readonly limit: number
  private young = new Set<string>()
  private old = new Set<string>()

  /** @param limit packets of a generation; between once and twice as many are remembered */
  constructor(limit = 50_000) {
    this.limit = limit
  }

  /** Takes note of a packet. @returns whether it was known */
  add(from: number, id: number): boolean {
    const key = `${from}:${id}`
    if (this.young.has(key) || this.old.has(key)) return true
    if (this.young.size >= this.limit) {
      this.old = this.young
      this.young = new Set()
    }
    this.young.add(key)
    return false
  }
}
