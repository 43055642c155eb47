import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { LogConfiguration } from '@pipit/broker'
import { CommandError } from './faults.ts'

export type Facility = NonNullable<LogConfiguration['syslogFacility']>

const FACILITIES: Readonly<Record<Facility, number>> = {
  user: 1,
  daemon: 3,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
}

const SEVERITIES = { error: 3, warn: 4, info: 5 } as const

/** Characters of one line; more are cut off, so that none begins in the middle of what a client has said. */
const LONGEST = 2_000
/** Bytes that may wait for the program; lines beyond are lost and counted. */
const MOST_WAITING = 1_048_576
/** The program is not started again sooner, milliseconds. */
const PAUSE_MS = 5_000
/** How long the last lines may take when all ends, milliseconds. */
const CLOSE_MS = 2_000

/** What is said to the system's log: through the program `logger` of util-linux, since Node opens no socket of the kind
 *  that /dev/log is. It lives as long as we do, and its end does no harm. */
export class Syslog {
  private readonly facility: number
  private readonly program: string
  private readonly more: readonly string[]
  private child: ChildProcess | undefined = undefined
  private startedAt = Number.NEGATIVE_INFINITY
  private lost = 0

  /** @param more arguments for `logger`, such as where else to send it
   *  @throws CommandError when there is no such program */
  constructor(facility: Facility = 'daemon', more: readonly string[] = []) {
    this.facility = FACILITIES[facility]
    this.program = found('logger')
    this.more = more
  }

  /** @param text without a line's end */
  write(level: keyof typeof SEVERITIES, text: string): void {
    const child = this.child ?? this.start()
    if (child?.stdin == null || child.stdin.writableLength > MOST_WAITING) {
      this.lost++
      return
    }
    const lost = this.lost === 0 ? '' : this.line('warn', `${this.lost} lines were lost`)
    this.lost = 0
    child.stdin.write(lost + this.line(level, text))
  }

  /** Settles when the program has said everything, or does not within a time that it could have used. */
  async close(): Promise<void> {
    const { child } = this
    this.child = undefined
    this.startedAt = Number.POSITIVE_INFINITY
    if (child === undefined) return
    child.stdin?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS)
    await once(child, 'close')
    clearTimeout(timer)
  }

  private line(level: keyof typeof SEVERITIES, text: string): string {
    return `<${this.facility * 8 + SEVERITIES[level]}>${text.slice(0, LONGEST)}\n`
  }

  private start(): ChildProcess | undefined {
    const now = performance.now()
    if (now - this.startedAt < PAUSE_MS) return undefined
    this.startedAt = now
    const args = ['--prio-prefix', '--tag', 'pipit', `--id=${process.pid}`, '--size', '16384']
    // A session of its own: Ctrl-C is for us, whose last words it still has to take.
    const child = spawn(this.program, [...args, '--socket-errors=on', ...this.more], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    })
    this.child = child
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 500) said += text
    })
    child.stdin?.on('error', () => undefined) // its end says why
    child.on('error', (error) => this.ended(child, error.message))
    child.on('close', (code, signal) => this.ended(child, said.trim() || `ended with ${signal ?? code}`))
    return child
  }

  private ended(child: ChildProcess, why: string): void {
    if (this.child !== child) return
    this.child = undefined
    process.stderr.write(`pipit broker: log.syslog: ${why}; lines are lost until it works\n`)
  }
}

function found(name: string): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder === '' ? '.' : folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // The next folder may have it.
    }
  }
  throw new CommandError(
    `log.syslog needs the program ${name}, of util-linux (Debian: bsdutils); it is not in PATH`,
  )
}
