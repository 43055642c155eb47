import { setTimeout as pause } from 'node:timers/promises'
import type { Outcome } from '../engine/commands.ts'
import type { Engine } from '../engine/engine.ts'
import type { Lease } from '../engine/sessions.ts'
import { EngineUnavailableError } from '../errors.ts'
import type { SessionJournal } from './session-journal.ts'

const RETRY_MS = 250

/** Hands what came of commands to the engine, as many at once as have come meanwhile; waits for an engine that
 *  cannot be written. */
export class Outcomes {
  private readonly engine: Engine
  private readonly lease: Lease
  private readonly journal: SessionJournal
  private readonly lost: (error: unknown) => void
  private waiting: Outcome[] = []
  private flushing: Promise<void> | undefined = undefined
  private isAbandoned = false

  /** @param lost called when the lease is, or when the engine fails for good */
  constructor(engine: Engine, lease: Lease, journal: SessionJournal, lost: (error: unknown) => void) {
    this.engine = engine
    this.lease = lease
    this.journal = journal
    this.lost = lost
  }

  add(outcome: Outcome): void {
    this.waiting.push(outcome)
    this.flushing ??= this.flush()
  }

  /** Settles when all are kept, or cannot be. */
  async settled(): Promise<void> {
    await this.flushing
  }

  abandon(): void {
    this.isAbandoned = true
  }

  private async flush(): Promise<void> {
    try {
      while (this.waiting.length > 0 && !this.isAbandoned) {
        const outcomes = this.waiting
        this.waiting = []
        const changes = this.journal.changesFor(new Set(outcomes.map(({ id }) => id)))
        await this.finish(() => this.engine.commands.finish(this.lease, outcomes, Date.now(), changes))
      }
    } catch (error) {
      this.isAbandoned = true
      this.lost(error)
    } finally {
      this.flushing = undefined
    }
  }

  private async finish(write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await write()
      } catch (error) {
        if (!(error instanceof EngineUnavailableError) || this.isAbandoned) throw error
        await pause(RETRY_MS)
      }
    }
  }
}
