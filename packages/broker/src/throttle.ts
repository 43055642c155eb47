/** Keeps one client within a rate of messages and bytes: tells how long it is not to be read from.
 *  A second's worth may come at once. */
export class Throttle {
  private readonly messageRate: number
  private readonly byteRate: number
  private messages: number
  private bytes: number
  private refilledAt: number
  /** Since when the client has been over its rate without a pause, milliseconds; 0: it is not. */
  overSince = 0

  /** @param messageRate a second; 0: no limit
   *  @param byteRate a second; 0: no limit */
  constructor(messageRate: number, byteRate: number, now: number) {
    this.messageRate = this.messages = messageRate
    this.byteRate = this.bytes = byteRate
    this.refilledAt = now
  }

  /** Counts what came; milliseconds to wait before reading on, or 0. */
  take(messages: number, bytes: number, now: number): number {
    const seconds = Math.max(0, now - this.refilledAt) / 1000
    this.refilledAt = now
    this.messages = Math.min(this.messageRate, this.messages + seconds * this.messageRate) - messages
    this.bytes = Math.min(this.byteRate, this.bytes + seconds * this.byteRate) - bytes
    const forMessages = this.messageRate > 0 && this.messages < 0 ? -this.messages / this.messageRate : 0
    const forBytes = this.byteRate > 0 && this.bytes < 0 ? -this.bytes / this.byteRate : 0
    const wait = Math.ceil(Math.max(forMessages, forBytes) * 1000)
    if (wait === 0) this.overSince = 0
    else if (this.overSince === 0) this.overSince = now
    return wait
  }
}
