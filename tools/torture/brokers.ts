import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { program } from '../interop.ts'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'pipit.js')

/** A broker process that is killed and started again on the same port and folder. */
export class BrokerProcess {
  readonly port: number
  /** What all its lives have written. */
  output = ''
  private readonly command: readonly string[]
  /** What it writes once it takes clients; undefined: when it accepts connections. */
  private readonly readyWord: string | undefined
  private child: ChildProcess | undefined = undefined

  constructor(port: number, command: readonly string[], readyWord?: string) {
    this.port = port
    this.command = command
    this.readyWord = readyWord
  }

  static pipit(port: number, folder: string, ...options: string[]): BrokerProcess {
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--data', folder]
    const node = [process.execPath, '--conditions=@pipit/source', LAUNCHER]
    return new BrokerProcess(port, [...node, 'broker', ...where, ...options], 'ready on')
  }

  /** Ours, as a configuration file says. */
  static pipitWith(port: number, file: string): BrokerProcess {
    const node = [process.execPath, '--conditions=@pipit/source', LAUNCHER]
    return new BrokerProcess(port, [...node, 'broker', '--config', file], 'ready on')
  }

  /** Debian's Mosquitto with persistence on and everything else, autosave too, at its default.
   *  Its queue limits are lifted, so that it may keep what it is sent. */
  static mosquitto(port: number, folder: string): BrokerProcess {
    const path = program('mosquitto')
    if (path === undefined) throw new Error('mosquitto is not installed (apt-get install mosquitto)')
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'user root',
      'persistence true',
      `persistence_location ${folder}/`,
      'max_queued_messages 0',
      'max_inflight_messages 0',
      'log_type error',
    ]
    const file = join(folder, 'mosquitto.conf')
    writeFileSync(file, `${lines.join('\n')}\n`)
    return new BrokerProcess(port, [path, '-c', file])
  }

  get pid(): number {
    return this.child?.pid ?? 0
  }

  /** Starts it and settles when it accepts connections.
   *  @throws Error with what it wrote, when it ends instead */
  async start(): Promise<void> {
    const [file = '', ...args] = this.command
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    let over = false
    child.stdout.on('data', (bytes) => (this.output += String(bytes)))
    child.stderr.on('data', (bytes) => (this.output += String(bytes)))
    child.once('exit', () => (over = true))
    const before = this.output.length
    const ready = async (): Promise<boolean> => {
      if (this.readyWord === undefined) return accepts(this.port)
      await new Promise((resolve) => setTimeout(resolve, 5))
      return this.output.includes(this.readyWord, before)
    }
    while (!(await ready())) {
      if (over) throw new Error(`the broker ended: ${this.output.slice(-2000)}`)
    }
  }

  /** Ends it and settles when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => setTimeout(resolve, 10, false))
  })
}

/** A port that was free a moment ago, and that the system gives to no connection of its own accord: one that
 *  connects to a port where nobody listens may get that very port, and is then connected to itself. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer().listen(port, '127.0.0.1')
    const free = await new Promise<boolean>((resolve) => {
      server.once('listening', () => resolve(true))
      server.once('error', () => resolve(false))
    })
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
