import type { ChildProcess } from 'node:child_process'
import { backoffMs } from './worker/backoff.ts'
import type { Log } from './worker/log.ts'

/** A process that is to run for as long as the supervisor does. */
export interface Supervised {
  readonly name: string
  readonly start: () => ChildProcess
}

const FIRST_DELAY_MS = 200
const LONGEST_DELAY_MS = 10_000
/** Who ran this long has not failed at the start: its next end is the first again. */
const STABLE_MS = 10_000
/** How long a process may take to end by itself. */
const GOODBYE_MS = 8_000

/** Keeps processes running: one that ends is started again, later each time that it fails in a row. */
export class Supervisor {
  private readonly log: Log
  private readonly children = new Set<ChildProcess>()
  private readonly life = new AbortController()
  private readonly runs: Promise<void>[]

  constructor(supervised: readonly Supervised[], log: Log) {
    this.log = log
    this.runs = supervised.map((each) => this.keep(each))
  }

  /** Ends all of them: asked first, and killed if that does not help. */
  async stop(): Promise<void> {
    this.life.abort()
    for (const child of this.children) child.kill('SIGTERM')
    const late = setTimeout(() => {
      for (const child of this.children) child.kill('SIGKILL')
    }, GOODBYE_MS)
    await Promise.all(this.runs)
    clearTimeout(late)
  }

  private async keep({ name, start }: Supervised): Promise<void> {
    for (let failures = 0; !this.life.signal.aborted; ) {
      const begun = performance.now()
      const how = await this.run(start())
      if (this.life.signal.aborted) return
      failures = performance.now() - begun >= STABLE_MS ? 1 : failures + 1
      const delayMs = backoffMs(failures, FIRST_DELAY_MS, LONGEST_DELAY_MS)
      this.log(`${name} ended (${how}); it is started again in ${delayMs} ms`)
      await this.pause(delayMs)
    }
  }

  /** @returns how it ended */
  private run(child: ChildProcess): Promise<string> {
    this.children.add(child)
    return new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
      child.once('close', () => this.children.delete(child))
    }).then((how) => {
      this.children.delete(child)
      return String(how)
    })
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.life.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
