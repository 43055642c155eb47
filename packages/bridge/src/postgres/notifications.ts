import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Change } from '../engine/engine.ts'
import type { Connections } from './connections.ts'

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000

/** How one kind of change is told. */
export interface News {
  /** Tells other processes when the transaction that it ends is committed. */
  readonly statement: string
  /** Tells our own. */
  readonly tell: () => void
}

/** Hears of what other processes have changed, over a connection that waits for it (LISTEN), for as long as
 *  there is one. Nothing depends on it: everybody looks once a second as well. */
export class Notifications {
  private readonly connections: Connections
  private readonly told: (change: Change) => void
  /** Tells ours from those of others. */
  private readonly id = randomUUID().slice(0, 8)
  private readonly life = new AbortController()
  private running: Promise<void> | undefined = undefined

  /** @param told called with each change that somebody tells of */
  constructor(connections: Connections, told: (change: Change) => void) {
    this.connections = connections
    this.told = told
  }

  news(change: Change): News {
    return {
      statement: `NOTIFY "${this.channel}", '${change} ${this.id}';`,
      tell: () => this.told(change),
    }
  }

  /** Begins to hear. */
  begin(): void {
    this.running ??= this.run()
  }

  async close(): Promise<void> {
    this.life.abort()
    await this.running
  }

  private get channel(): string {
    return `pipit_${this.connections.schema}`
  }

  private async run(): Promise<void> {
    const { signal } = this.life
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, LONGEST_RETRY_MS)) {
      try {
        const client = await this.connections.single()
        const begun = performance.now()
        await this.listen(client).finally(() => client.end().catch(() => {}))
        if (performance.now() - begun > LONGEST_RETRY_MS) delayMs = FIRST_RETRY_MS
      } catch {
        // Those who work with the database say what is wrong with it.
      }
      await pause(delayMs, undefined, { signal }).catch(() => {})
    }
  }

  /** Settles when the connection is lost, or nobody wants to hear any more. */
  private async listen(client: Client): Promise<void> {
    const { signal } = this.life
    const over = new Promise<void>((resolve) => {
      client.on('error', () => resolve())
      client.on('end', () => resolve())
      signal.addEventListener('abort', () => resolve(), { once: true })
      if (signal.aborted) resolve()
    })
    client.on('notification', ({ payload }) => this.take(payload ?? ''))
    await client.query(`LISTEN "${this.channel}"`)
    // What came before that was not heard.
    for (const change of ['messages', 'hooks'] as const) this.told(change)
    await over
  }

  private take(payload: string): void {
    const [change, id] = payload.split(' ')
    if (id !== this.id && (change === 'messages' || change === 'hooks')) this.told(change)
  }
}
