import type { Link } from './link.ts'

/** PINGREQs that wait for their PINGRESP, in order; keep alive's own among them. */
export class Pings {
  private readonly waiting: (Ping | undefined)[] = []

  /** Sends PINGREQ. @param ping who waits for it; absent: keep alive, which only watches the line */
  send(link: Link, ping?: Ping): void {
    this.waiting.push(ping)
    link.send({ type: 'PINGREQ' })
  }

  /** Takes PINGRESP; one that nobody waits for is ignored. */
  answered(now: number): void {
    this.waiting.shift()?.succeed(now)
  }

  fail(error: unknown): void {
    for (const ping of this.waiting.splice(0)) ping?.fail(error)
  }
}

/** One `ping()`. */
export class Ping {
  unwatch: (() => void) | undefined = undefined
  readonly promise: Promise<number>
  private readonly begun: number
  private resolve!: (roundTripMs: number) => void
  private reject!: (error: unknown) => void

  constructor(now: number) {
    this.begun = now
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  succeed(now: number): void {
    this.unwatch?.()
    this.resolve(now - this.begun)
  }

  fail(error: unknown): void {
    this.unwatch?.()
    this.reject(error)
  }
}
