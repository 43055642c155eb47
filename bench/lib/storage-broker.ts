import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { freePort } from '../../tools/torture/brokers.ts'

/** How a broker under test keeps what it has: in memory only, or by a durability. */
export type Mode = 'memory' | 'interval' | 'always'

/** How long an event loop was blocked. */
export interface Delay {
  readonly p99Ms: number
  readonly maxMs: number
  /** The longest that the journal itself has taken at once. */
  readonly storageMs: number
  readonly rssMB: number
}

/** The broker of `storage-broker-process.ts`. */
export class TestBroker {
  readonly port: number
  openedMs = 0
  sessions = 0
  private readonly child: ChildProcess
  private readonly lines: Interface
  private readonly folder: string | undefined

  private constructor(port: number, child: ChildProcess, folder: string | undefined) {
    this.port = port
    this.child = child
    this.folder = folder
    this.lines = createInterface({ input: child.stdout! })
  }

  static async start(mode: Mode, data?: string): Promise<TestBroker> {
    const port = await freePort()
    const folder =
      mode === 'memory' || data !== undefined ? undefined : mkdtempSync(join(tmpdir(), 'pipit-bench-'))
    const where = data ?? (folder === undefined ? undefined : join(folder, 'data'))
    const options = mode === 'memory' ? { port } : { port, data: where, durability: mode }
    const script = join(import.meta.dirname, 'storage-broker-process.ts')
    const args = ['--conditions=@pipit/source', script, JSON.stringify(options)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const broker = new TestBroker(port, child, folder)
    const said = await broker.line()
    broker.openedMs = Number(said['openedMs'])
    broker.sessions = Number(said['sessions'])
    return broker
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** How long the event loop was blocked since this was asked last. */
  async delay(): Promise<Delay> {
    this.child.kill('SIGUSR2')
    return (await this.line()) as unknown as Delay
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    await gone
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true })
  }

  private async line(): Promise<Record<string, number>> {
    const [line] = (await once(this.lines, 'line')) as [string]
    return JSON.parse(line) as Record<string, number>
  }
}
