import type { WorkerReport, WorkerStore } from '../engine/workers.ts'
import { Wake } from './wake.ts'

export interface HeartbeatOptions {
  readonly workers: WorkerStore
  /** What there is to be said now. */
  readonly report: () => Omit<WorkerReport, 'until'>
  /** For how long a report is believed; another comes three times as often. */
  readonly believedMs: number
}

/** Says every few seconds that a worker is there, and how it is. */
export class Heartbeat {
  private readonly options: HeartbeatOptions
  private readonly wake = new Wake()
  private isStopping = false
  private readonly running: Promise<void>

  constructor(options: HeartbeatOptions) {
    this.options = options
    this.running = this.run()
  }

  /** Something has changed: says so now. */
  beat(): void {
    this.wake.call()
  }

  /** Takes the last report back. */
  async stop(): Promise<void> {
    this.isStopping = true
    this.wake.call()
    await this.running
  }

  private async run(): Promise<void> {
    const { believedMs } = this.options
    while (!this.isStopping) {
      await this.say(believedMs)
      await this.wake.wait(believedMs / 3)
    }
    await this.say(0)
  }

  /** An engine that cannot be reached now hears the next one. */
  private async say(believedMs: number): Promise<void> {
    const { workers, report } = this.options
    const now = Date.now()
    await workers.report({ ...report(), until: now + believedMs }, now).catch(() => {})
  }
}
