import type { Logger } from './broker.ts'
import { printable } from './printable.ts'

/** Lines a second: whoever is refused may come again at once, and a log must not be what it fills. */
const PER_SECOND = 20

/** Says in the log what clients did wrong, only so often. */
export class Notices {
  private readonly logger: Logger
  private readonly now: () => number
  private second = 0
  private said = 0
  private unsaid = 0

  constructor(logger: Logger, now: () => number) {
    this.logger = logger
    this.now = now
  }

  /** @param message may hold what a client said: what could forge a line is escaped */
  warn(data: object, message: string): void {
    const second = Math.floor(this.now() / 1000)
    if (second !== this.second) {
      if (this.unsaid > 0) this.logger.warn({ count: this.unsaid }, `${this.unsaid} more such lines left out`)
      this.second = second
      this.said = this.unsaid = 0
    }
    if (++this.said > PER_SECOND) this.unsaid++
    else this.logger.warn(data, printable(message, 1000))
  }
}
