/** What happened in a run, one line for each event: kept as a hash, so that two runs can be compared without
 *  keeping either. */
export class EventLog {
  count = 0
  private readonly sink: ((line: string) => void) | undefined
  private low = 0x811c9dc5
  private high = 0x9e3779b9

  /** @param sink told of every line, such as to write it to a file */
  constructor(sink?: (line: string) => void) {
    this.sink = sink
  }

  /** @param at milliseconds since the beginning
   *  @param who a device, or the broker
   *  @param what words without a line feed */
  add(at: number, who: string, what: string): void {
    const line = `${at.toFixed(3)} ${who} ${what}`
    this.count++
    for (let i = 0; i < line.length; i++) this.mix(line.charCodeAt(i))
    this.mix(0x0a)
    this.sink?.(line)
  }

  /** 16 hexadecimal digits. For telling runs apart, not against forgers. */
  get hash(): string {
    return [this.high, this.low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  // Two of FNV-1a's kind, with different primes.
  private mix(code: number): void {
    this.low = Math.imul(this.low ^ code, 0x01000193)
    this.high = Math.imul(this.high ^ code, 0x85ebca6b) + (this.low >>> 7)
  }
}
