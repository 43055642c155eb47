import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Debian keeps it where a user's PATH does not look.
const program = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (path) => spawnSync(path, ['-h']).error === undefined,
)

/** Why tests with Debian's broker are skipped; undefined where it is installed. */
export const noMosquitto =
  program === undefined ? 'skipped: mosquitto is not installed (apt-get install mosquitto)' : undefined

/** Debian's Mosquitto, which can be ended and started again on its port, with what it has kept. */
export class Mosquitto {
  readonly port: number
  private readonly folder = mkdtempSync(join(tmpdir(), 'pipit-links-'))
  private child: ChildProcess | undefined = undefined

  private constructor(port: number, lines: readonly string[]) {
    this.port = port
    const always = ['allow_anonymous true', 'user root', 'persistence true', 'max_queued_messages 0']
    const text = [`listener ${port} 127.0.0.1`, ...always, `persistence_location ${this.folder}/`, ...lines]
    writeFileSync(join(this.folder, 'mosquitto.conf'), `${text.join('\n')}\n`)
  }

  static async start(...lines: string[]): Promise<Mosquitto> {
    const broker = new Mosquitto(await freePort(), lines)
    await broker.run()
    return broker
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Starts it and settles when it takes connections. */
  async run(): Promise<void> {
    const child = spawn(program ?? 'mosquitto', ['-c', join(this.folder, 'mosquitto.conf')], {
      stdio: 'ignore',
    })
    this.child = child
    while (!(await answers(this.port))) {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}`)
    }
  }

  /** Ends it in order: it writes down what it has. */
  async stop(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }

  async end(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Refused at once: the next look comes a little later.
    await new Promise((resolve) => setTimeout(resolve, 20))
    return false
  } finally {
    socket.destroy()
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
