import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { program } from '../interop.ts'
import { freePort } from './brokers.ts'

/** Where PostgreSQL's programs are, if they are anywhere. */
const programs = programFolder()

export const hasPostgres = programs !== undefined

/** A PostgreSQL server of its own, in a folder of its own. */
export class PostgresServer {
  readonly port: number
  private readonly folder: string
  private readonly user: { uid?: number; gid?: number }
  private server: ChildProcess | undefined = undefined

  private constructor(port: number, folder: string, user: { uid?: number; gid?: number }) {
    this.port = port
    this.folder = folder
    this.user = user
  }

  static async create(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'pipit-postgres-'))
    const user = serverUser()
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid ?? user.uid)
    const made = new PostgresServer(await freePort(), folder, user)
    made.make()
    await made.start()
    return made
  }

  /** @param query of the address, such as `schema=a` */
  address(query = ''): string {
    return `postgres://pipit:s3cret@127.0.0.1:${this.port}/postgres${query === '' ? '' : `?${query}`}`
  }

  /** Settles when it takes connections. */
  async start(): Promise<void> {
    // One that was killed leaves its memory to those who still work for it, for a moment.
    while (!(await this.tryToStart())) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  /** SIGINT ends it in order, SIGKILL does not. */
  async stop(signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
    const { server } = this
    this.server = undefined
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill(signal)
    await gone
  }

  async remove(): Promise<void> {
    await this.stop('SIGINT')
    rmSync(this.folder, { recursive: true, force: true })
  }

  private make(): void {
    const args = ['-D', 'data', '-U', 'pipit', '-E', 'UTF8', '--locale=C', '-A', 'trust', '--no-sync']
    const { status, stderr } = spawnSync(join(programs ?? '', 'initdb'), args, {
      ...this.user,
      cwd: this.folder,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`)
  }

  /** @returns whether it takes connections */
  private async tryToStart(): Promise<boolean> {
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'shared_buffers=16MB']
    const args = ['-D', 'data', '-p', String(this.port), ...settings.flatMap((each) => ['-c', each])]
    const server = spawn(join(programs ?? '', 'postgres'), args, {
      ...this.user,
      cwd: this.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.server = server
    return new Promise((resolve, reject) => {
      let said = ''
      server.once('error', reject)
      server.once('exit', () => {
        if (said.includes('still in use')) resolve(false)
        else reject(new Error(`PostgreSQL has ended: ${said}`))
      })
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-4_000)
        if (said.includes('ready to accept connections')) resolve(true)
      })
    })
  }
}

function programFolder(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const config = program('pg_config')
  if (config !== undefined) folders.push(execFileSync(config, ['--bindir'], { encoding: 'utf8' }).trim())
  // Debian keeps them apart by version.
  folders.push(...globSync('/usr/lib/postgresql/*/bin'))
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))))
}

/** The server refuses to run as root: then it is somebody else. */
function serverUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const row = rows.find(([name]) => name === 'postgres') ?? rows.find(([name]) => name === 'nobody')
  if (row === undefined) throw new Error('PostgreSQL needs a user other than root: postgres or nobody')
  return { uid: Number(row[2]), gid: Number(row[3]) }
}
