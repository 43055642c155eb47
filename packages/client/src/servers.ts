/** The servers of a client, tried in turn; the last one that worked first, unless the first is preferred. */
export class Servers {
  private urls: readonly URL[]
  private at = 0
  /** Where a server has sent us for the next attempt. */
  private detour: URL | undefined = undefined
  /** Server References followed in a row. */
  hops = 0
  private readonly preferFirst: boolean
  private hasWorked = false

  constructor(urls: readonly URL[], preferFirst = false) {
    this.urls = urls
    this.preferFirst = preferFirst
  }

  current(): URL {
    return this.detour ?? this.urls[this.at]!
  }

  /** The present one did not serve: the next one's turn. */
  next(): void {
    if (this.detour !== undefined) this.detour = undefined
    else if (this.preferFirst && this.hasWorked) this.at = 0
    else this.at = (this.at + 1) % this.urls.length
    this.hasWorked = false
  }

  worked(): void {
    this.hops = 0
    this.hasWorked = true
  }

  /** A server points elsewhere. @param forGood it has moved, not just for the next attempt */
  goTo(url: URL, forGood: boolean): void {
    this.detour = forGood ? undefined : url
    if (forGood) this.urls = this.urls.map((known, i) => (i === this.at ? url : known))
  }
}
