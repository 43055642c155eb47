import { isGone } from '../engine/leasing.ts'
import { textOf } from '../engine/rows.ts'
import type { WorkerReport, WorkerStore } from '../engine/workers.ts'
import type { Statements } from './statements.ts'
import type { Synchronous } from './synchronous.ts'

/** What workers say of themselves. */
export class WorkerTable implements Synchronous<WorkerStore> {
  private readonly sql: Statements

  constructor(sql: Statements) {
    this.sql = sql
  }

  report(report: WorkerReport, now: number): void {
    this.sql.run(
      'INSERT OR REPLACE INTO workers (name, until, report) VALUES (?, ?, ?)',
      report.name,
      report.until,
      JSON.stringify(report),
    )
    this.sql.run('DELETE FROM workers WHERE until <= ?', now)
  }

  list(now: number): readonly WorkerReport[] {
    return this.sql
      .all('SELECT report FROM workers WHERE until > ? ORDER BY name', now)
      .map((row) => JSON.parse(textOf(row['report'])) as WorkerReport)
      .filter(({ name }) => !isGone(name))
  }
}
