import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from '../../tools/interop.ts'
import { pinned } from './machine.ts'

export interface RunningBroker {
  readonly port: number
  readonly pid: number
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

/** A broker that a benchmark can start: by its name, and the command for a port and a folder of its own. */
export interface BrokerKind {
  readonly name: string
  /** Whether it knows MQTT 5.0. */
  readonly speaks5: boolean
  command(port: number, folder: string): string[]
}

const root = join(import.meta.dirname, '..', '..')

export const PIPIT: BrokerKind = {
  name: 'pipit',
  speaks5: true,
  command: (port, folder) => [
    process.execPath,
    join(root, 'packages', 'cli', 'bin', 'pipit.js'),
    'broker',
    '--port',
    String(port),
    '--data',
    join(folder, 'data'),
  ],
}

/** Debian's Mosquitto as it comes, and with Nagle's algorithm off; empty where it is not installed.
 *  Its queue limits are lifted, so that it may keep what it is sent. */
export function mosquittos(): BrokerKind[] {
  const path = program('mosquitto')
  if (path === undefined) return []
  const kind = (name: string, extra: string[]): BrokerKind => ({
    name,
    speaks5: true,
    command: (port, folder) => {
      const lines = [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        'max_inflight_messages 0',
        'max_queued_messages 0',
        'log_type error',
        ...extra,
      ]
      writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
      return [path, '-c', join(folder, 'mosquitto.conf')]
    },
  })
  return [kind('mosquitto', []), kind('mosquitto nodelay', ['set_tcp_nodelay true'])]
}

/** npm's aedes, in a process of its own. */
export function aedes(): BrokerKind {
  const script = join(import.meta.dirname, 'aedes.mjs')
  return { name: 'aedes', speaks5: false, command: (port) => [process.execPath, script, String(port)] }
}

/** Starts a broker on a free port of 127.0.0.1, pinned to `core` when one is given and pinning works. */
export async function start(kind: BrokerKind, core?: number): Promise<RunningBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bench-'))
  const port = await freePort()
  const command = kind.command(port, folder)
  const [file = '', ...args] = core === undefined ? command : pinned(core, command)
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = collect(child)
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await listening(child, port)
  } catch (error) {
    await stop()
    throw new Error(`${kind.name} did not come up on port ${port}: ${output()}`, { cause: error })
  }
  return { port, pid: child.pid ?? 0, stop }
}

function collect(child: ChildProcess): () => string {
  let text = ''
  const keep = (bytes: Buffer) => (text = (text + bytes).slice(-2000))
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  child.on('error', (error) => (text += error.message))
  return () => text.trim() || 'it wrote nothing'
}

/** Settles when the port accepts; rejects when the process ends first. */
async function listening(child: ChildProcess, port: number): Promise<void> {
  let ended = false
  child.once('exit', () => (ended = true))
  child.once('error', () => (ended = true))
  while (!(await accepts(port))) {
    if (ended) throw new Error('the process ended')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => setTimeout(resolve, 20, false))
  })
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
