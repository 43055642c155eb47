/** The servers of a client, tried in turn; the last one that worked first, unless the first is preferred. */
export class Servers {
  private urls: readonly URL[]
  private at = 0
  /** Where a server has sent us for the next attempt. */
  private detour: URL | undefined = undefined
  private hops = 0
  private readonly preferFirst: boolean
  private hasWorked = false

  constructor(urls: readonly URL[], preferFirst = false) {
    this.urls = urls
    this.preferFirst = preferFirst
  }

  get count(): number {
    return this.urls.length
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

  /** Follows a Server Reference. @param forGood the server has moved (0x9D), not just now (0x9C)
   *  @returns false when it names no server, or sends us around in circles */
  follow(reference: string | undefined, forGood: boolean): boolean {
    const first = reference?.trim().split(/\s+/)[0]
    if (first === undefined || first === '' || ++this.hops > 5) return false
    const url = referenceUrl(first, this.current())
    if (url === undefined) return false
    if (forGood) {
      this.urls = this.urls.map((known, i) => (i === this.at ? url : known))
      this.detour = undefined
    } else this.detour = url
    return true
  }
}

/** `host`, `host:port` or a whole URL, in the scheme of the server that said it.
 *  @see MQTT 5.0, 4.11 */
function referenceUrl(reference: string, base: URL): URL | undefined {
  const text = reference.includes('://') ? reference : `${base.protocol}//${reference}${base.pathname}`
  return URL.canParse(text) ? new URL(text) : undefined
}
