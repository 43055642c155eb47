/** What keep alive asks for at a moment. */
export type KeepAliveStep = 'wait' | 'ping' | 'dead'

/** The client's side of keep alive: when to send PINGREQ and when the peer counts as gone.
 *  Times are milliseconds of any one clock, passed in.
 *  @see MQTT 5.0, 3.1.2.10 */
export class KeepAlive {
  private readonly intervalMs: number
  private lastSent: number
  private pingSent: number | undefined
  private lastReceived: number

  /** @param seconds 0 turns it off */
  constructor(seconds: number, now: number) {
    this.intervalMs = seconds * 1000
    this.lastSent = now
    this.lastReceived = now
  }

  sent(now: number): void {
    this.lastSent = now
  }

  received(now: number): void {
    this.lastReceived = now
    this.pingSent = undefined
  }

  /** A PINGREQ is being sent. */
  pinged(now: number): void {
    this.lastSent = now
    if (this.pingSent === undefined) this.pingSent = now
  }

  /** What to do now. A connection half open is `dead` half an interval after its unanswered PINGREQ:
   *  1.5 intervals of silence in all. */
  step(now: number): KeepAliveStep {
    if (this.intervalMs === 0) return 'wait'
    if (this.pingSent !== undefined) return now - this.pingSent >= this.intervalMs / 2 ? 'dead' : 'wait'
    const quiet = Math.max(now - this.lastSent, now - this.lastReceived)
    return quiet >= this.intervalMs ? 'ping' : 'wait'
  }

  /** When to call `step` next, in the same clock; Infinity when keep alive is off. */
  nextStep(): number {
    if (this.intervalMs === 0) return Number.POSITIVE_INFINITY
    if (this.pingSent !== undefined) return this.pingSent + this.intervalMs / 2
    return Math.min(this.lastSent, this.lastReceived) + this.intervalMs
  }
}
