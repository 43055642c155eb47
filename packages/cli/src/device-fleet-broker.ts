import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CommandError } from './faults.ts'

const LAUNCHER = fileURLToPath(new URL('../bin/pipit.js', import.meta.url))

/** A `pipit broker` of the fleet's own: a process with a data folder, which an outage kills and starts again on the same port. */
export class FleetBroker {
  port = 0
  /** What it said when it ended, and was not to. */
  onDeath: (message: string) => void = () => {}
  private readonly folder: string
  private child: ChildProcess | undefined = undefined

  private constructor(folder: string) {
    this.folder = folder
  }

  static async start(): Promise<FleetBroker> {
    const broker = new FleetBroker(await mkdtemp(join(tmpdir(), 'pipit-fleet-')))
    await broker.start()
    return broker
  }

  /** Settles when it listens.
   *  @throws CommandError with what it said */
  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [
        ...process.execArgv,
        LAUNCHER,
        'broker',
        '--port',
        String(this.port),
        '--bind',
        '127.0.0.1',
        '--data',
        this.folder,
      ],
      // In a group of its own: Ctrl-C is for the fleet, which ends its broker last.
      { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    )
    this.child = child
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000)
    })
    child.once('close', () => {
      if (this.child === child) this.onDeath(`the broker has ended: ${said.trim() || 'without a word'}`)
    })
    this.port = await portOf(child, () => said)
  }

  /** Ends it as a power cut would, and settles when it is gone. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  /** Ends it for good; its folder goes. */
  async close(): Promise<void> {
    await this.end('SIGTERM')
    await rm(this.folder, { recursive: true, force: true })
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'close')
    child.kill(signal)
    await gone
  }
}

function portOf(child: ChildProcess, said: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const port = /ready on 127\.0\.0\.1:(\d+)/.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const why = said().trim() || text.trim() || `it ended with ${code ?? signal}`
      reject(new CommandError(`the fleet's broker did not start: ${why}`))
    })
  })
}

/** What is meant for this command is not meant for the broker. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PIPIT_')))
}
