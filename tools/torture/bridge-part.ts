import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'pipit.js')

/** A process of the bridge that is started again when it is killed. */
export class Part {
  readonly port: number
  private readonly name: 'api' | 'worker'
  private readonly args: readonly string[]
  private child: ChildProcess
  private output = ''
  private errors = ''
  private isEnding = false

  constructor(name: 'api' | 'worker', args: readonly string[]) {
    this.name = name
    this.args = args
    this.port = name === 'api' ? Number(args.at(-1)) : 0
    this.child = this.start()
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }

  async ready(): Promise<void> {
    while (!this.output.includes('\n')) await pause(10)
  }

  /** What it said on stderr, other than that the broker or the queue was away. */
  complaints(): string[] {
    const away =
      /; it goes on trying$|the queue on redis:\/\/\S+: (connect ECONNREFUSED|the connection was lost)/
    return this.errors.split('\n').filter((line) => line !== '' && !away.test(line))
  }

  async end(): Promise<void> {
    this.isEnding = true
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    const late = setTimeout(() => this.child.kill('SIGKILL'), 10_000)
    await gone
    clearTimeout(late)
  }

  private start(): ChildProcess {
    const command = ['--conditions=@pipit/source', LAUNCHER, 'bridge', this.name, ...this.args]
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (bytes) => (this.output += String(bytes)))
    child.stderr.on('data', (bytes) => (this.errors += String(bytes)))
    child.once('exit', () => {
      if (!this.isEnding) this.child = this.start()
    })
    return child
  }
}
