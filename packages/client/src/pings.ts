import type { Link } from './link.ts'
import { Operation } from './operation.ts'
import type { Platform } from './platform.ts'
import { type WaitOptions, watch } from './watch.ts'

/** Sends PINGREQ and gives the round trip in milliseconds.
 *  @throws ConnectionLostError when the connection ends; TimeoutError, `signal.reason` */
export function ping(link: Link, options: WaitOptions, platform: Platform): Promise<number> {
  const begun = new Ping(platform.now())
  watch(begun, options, platform, 'ping')
  link.ping(begun)
  return begun.promise
}

/** One `ping()`. */
export class Ping extends Operation<number> {
  private readonly begun: number

  constructor(now: number) {
    super()
    this.begun = now
  }

  /** @param now when PINGRESP came */
  answered(now: number): void {
    this.succeed(now - this.begun)
  }
}
