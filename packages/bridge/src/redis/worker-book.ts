import type { WorkerReport, WorkerStore } from '../engine/workers.ts'
import { REPORT, REPORTS } from './check-scripts.ts'
import type { Link } from './link.ts'
import { pairsOf } from './replies.ts'

/** What workers say of themselves. That one has ended shows when its report is not believed any more: pids say nothing
 *  on another machine. */
export class WorkerBook implements WorkerStore {
  private readonly link: Link

  constructor(link: Link) {
    this.link = link
  }

  async report(report: WorkerReport, now: number): Promise<void> {
    await this.link.run(REPORT, [report.name, JSON.stringify(report), now])
  }

  async list(now: number): Promise<readonly WorkerReport[]> {
    return [...pairsOf(await this.link.run(REPORTS, []))]
      .map(([, report]) => JSON.parse(report.toString()) as WorkerReport)
      .filter(({ until }) => until > now)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}
