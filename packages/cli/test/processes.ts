import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const LAUNCHER = join(import.meta.dirname, '../bin/pipit.js')

/** A process whose output a test waits for. */
export class Running {
  stdout = ''
  stderr = ''
  /** Settles with the exit code, or the name of the signal, once all output has been read. */
  readonly ended: Promise<number | string>
  readonly child: ChildProcess
  private readonly waiting = new Set<() => void>()
  private isOver = false

  /** @param isLeader of a group of processes, as what is started in a terminal is */
  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, isLeader = false) {
    const options = { env: { ...process.env, ...env }, stdio: 'pipe', detached: isLeader } as const
    this.child = spawn(command, args, options)
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.took('stdout', text))
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.took('stderr', text))
    // A process that has ended does not read what is written to it.
    this.child.stdin?.on('error', () => undefined)
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.isOver = true
      for (const look of this.waiting) look()
      return (code ?? signal) as number | string
    })
  }

  private took(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text
    for (const look of this.waiting) look()
  }

  /** Settles with the match once the output has it; rejects when the process ends without. */
  async says(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stripVTControlCharacters(this[stream]))
        if (match === null && !this.isOver) return
        this.waiting.delete(look)
        if (match !== null) resolve(match)
        else reject(new Error(`ended without ${pattern}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`))
      }
      this.waiting.add(look)
      look()
    })
  }

  /** Writes all of stdin and ends it. */
  feed(text: string | Uint8Array = ''): this {
    this.child.stdin?.end(text)
    return this
  }

  /** Ends it with a signal and settles when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.child.kill(signal)
    return this.ended
  }

  /** Ctrl-C, as a terminal sends it: to the leader of a group and all in it. */
  async interrupt(): Promise<number | string> {
    if (this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGINT')
    return this.ended
  }
}

/** What a process left behind. */
export interface Outcome {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/** Processes of one test file, ended with it. */
export class Processes {
  private readonly all: Running[] = []
  private readonly folders: string[] = []

  /** A broker that is told no data folder gets one of its own, which goes with it. */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv, isLeader = false): Running {
    const folder = mkdtempSync(join(tmpdir(), 'pipit-cli-'))
    this.folders.push(folder)
    const running = new Running(command, args, { PIPIT_DATA: join(folder, 'data'), ...env }, isLeader)
    this.all.push(running)
    return running
  }

  /** `pipit …` from the TypeScript sources, whatever was built. */
  pipit(args: readonly string[], env?: NodeJS.ProcessEnv): Running {
    return this.run(process.execPath, ['--conditions=@pipit/source', LAUNCHER, ...args], env)
  }

  /** `pipit …` as a terminal runs it, for `interrupt`. */
  inTerminal(args: readonly string[], env?: NodeJS.ProcessEnv): Running {
    return this.run(process.execPath, ['--conditions=@pipit/source', LAUNCHER, ...args], env, true)
  }

  /** Runs `pipit …` to its end. */
  async done(args: readonly string[], input = '', env?: NodeJS.ProcessEnv): Promise<Outcome> {
    return outcome(this.pipit(args, env).feed(input))
  }

  /** `pipit broker` on a free port. */
  async broker(...args: string[]): Promise<{ running: Running; port: number }> {
    const running = this.pipit(['broker', '--port', '0', ...args])
    const [, port] = await running.says(/ready on 127\.0\.0\.1:(\d+)/)
    return { running, port: Number(port) }
  }

  /** Debian's Mosquitto on a free port. */
  async mosquitto(): Promise<{ running: Running; port: number }> {
    const port = await freePort()
    // Without a bound to its queues: by default it drops QoS 1 messages beyond 1,000 for a slow subscriber.
    const folder = mkdtempSync(join(tmpdir(), 'pipit-mosquitto-'))
    this.folders.push(folder)
    const file = join(folder, 'mosquitto.conf')
    writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n`)
    const running = this.run(MOSQUITTO, ['-v', '-c', file])
    await running.says(/mosquitto version .* running/, 'stderr')
    return { running, port }
  }

  /** Debian's Mosquitto with a configuration file; rejects when it ends instead of running. */
  async mosquittoWith(file: string): Promise<Running> {
    const running = this.run(MOSQUITTO, ['-v', '-c', file])
    await running.says(/mosquitto version .* running/, 'stderr')
    return running
  }

  async end(): Promise<void> {
    await Promise.all(
      this.all.map((running) => (running.child.exitCode === null ? running.kill('SIGKILL') : undefined)),
    )
    for (const folder of this.folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  }
}

export async function outcome(running: Running): Promise<Outcome> {
  const code = await running.ended
  return { code, stdout: running.stdout, stderr: running.stderr }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

function found(...candidates: string[]): string | undefined {
  return candidates.find((program) => spawnSync(program, ['-h']).error === undefined)
}

// Debian keeps the broker where a user's PATH does not look.
const mosquitto = found('mosquitto', '/usr/sbin/mosquitto')
export const MOSQUITTO = mosquitto ?? 'mosquitto'
/** Why tests with Debian's clients are skipped; undefined where they are installed. */
export const noMosquittoClients =
  found('mosquitto_pub') === undefined || found('mosquitto_sub') === undefined
    ? 'skipped: mosquitto_pub and mosquitto_sub are not installed (apt-get install mosquitto-clients)'
    : undefined
/** Why tests with Debian's broker are skipped; undefined where it is installed. */
export const noMosquitto =
  mosquitto === undefined ? 'skipped: mosquitto is not installed (apt-get install mosquitto)' : undefined
