import type { LinkMetrics, LinkPlace } from './link-place.ts'
import { LinkRun } from './link-run.ts'
import { checkLink, type LinkOptions } from './options.ts'

/** Between two beginnings of a link whose store fails, milliseconds: twice as long each time, until it has carried
 *  something. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000

/** Carries topics between two brokers, as a client of both. A message is acknowledged to the broker it came from only
 *  after the other one has acknowledged it; both sessions outlive their connections: at QoS 1 and 2 nothing is lost,
 *  whichever end goes away. At QoS 2 it is also carried once, a crash of the link's own process included where it has
 *  a folder. When that folder cannot be written, messages stay with their sender and the link begins anew. */
export class Link {
  /** Settles when the local broker has answered the first subscription: what is published there from then on is not
   *  missed. */
  readonly ready: Promise<void>
  private readonly options: LinkOptions
  private readonly place: LinkPlace
  private readonly life = new AbortController()
  private run: LinkRun | undefined
  /** Of runs that are over. */
  private before = { out: 0, in: 0, dropped: 0 }
  private failures = 0
  private restarting: Promise<void> = Promise.resolve()

  /** Begins at once, and goes on until `close`.
   *  @throws RangeError, TypeError for options that cannot be; Error naming a file that cannot be read */
  constructor(options: LinkOptions, place: LinkPlace) {
    checkLink(options)
    this.options = options
    this.place = place
    const run = this.begin()
    this.run = run
    this.ready = run.ready
  }

  metrics(): LinkMetrics {
    const { before, options } = this
    const now = this.run?.metrics()
    return {
      name: options.name,
      connected: now?.connected ?? false,
      out: before.out + (now?.out ?? 0),
      in: before.in + (now?.in ?? 0),
      dropped: before.dropped + (now?.dropped ?? 0),
      pending: now?.pending ?? 0,
    }
  }

  /** Says goodbye at both ends. What is under way and not acknowledged comes again when the link does. */
  async close(): Promise<void> {
    this.life.abort()
    await this.restarting
    await this.run?.close()
  }

  private begin(): LinkRun {
    return new LinkRun(this.options, this.place, (error) => {
      this.restarting = this.restart(error)
    })
  }

  private async restart(error: unknown): Promise<void> {
    await this.end()
    for (let cause = error; !this.life.signal.aborted; ) {
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++)
      const why = cause instanceof Error ? cause.message : String(cause)
      const said = `nothing is carried, messages stay with their sender: ${why}; it begins anew in ${pause / 1000} s`
      this.place.log?.('warn', `link ${this.options.name}: ${said}`)
      await sleep(pause, this.life.signal)
      if (this.life.signal.aborted) return
      try {
        this.run = this.begin()
        return
      } catch (thrown) {
        cause = thrown
      }
    }
  }

  private async end(): Promise<void> {
    const { run, before } = this
    this.run = undefined
    const last = run?.metrics()
    await run?.close()
    if (last === undefined) return
    if (last.out + last.in > 0) this.failures = 0
    this.before = {
      out: before.out + last.out,
      in: before.in + last.in,
      dropped: before.dropped + last.dropped,
    }
  }
}

/** Settles after a time, or at once when the signal says so. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
