/** What this process has counted. */
export class Counters {
  readonly accepted = { commands: 0, repeated: 0 }
  /** Answers by their status. */
  readonly answers = new Map<number, number>()

  answered(status: number): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1)
  }
}
