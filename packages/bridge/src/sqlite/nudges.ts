import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, realpathSync, rmdir, rmSync } from 'node:fs'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Change } from '../engine/engine.ts'

const BYTES: Readonly<Record<Change, string>> = { commands: 'c', messages: 'm', hooks: 'h' }
const CHANGES = Object.fromEntries(Object.entries(BYTES).map(([change, byte]) => [byte, change])) as Readonly<
  Record<string, Change>
>

/** Tells the other processes that have the same file open that something has changed. Each listens on a unix
 *  socket and, when it comes, connects to those that are there; what goes over a connection is one byte a change,
 *  in both directions. Nothing depends on a byte coming through: everybody looks once a second as well. */
export class Nudges {
  private readonly folder: string
  private readonly path: string
  private readonly server: Server
  private readonly peers = new Set<Socket>()
  private readonly told: (change: Change) => void
  private readonly pending = new Set<Change>()

  /** @param file of the queue @param told called with each change that another process tells of */
  constructor(file: string, told: (change: Change) => void) {
    this.told = told
    // A socket's path holds about 100 bytes, which a data folder's may well exceed.
    const name = createHash('sha256').update(realpathSync(file)).digest('hex').slice(0, 16)
    this.folder = join(tmpdir(), `pipit-bridge-${name}`)
    this.path = join(this.folder, `${process.pid}-${randomUUID().slice(0, 8)}.sock`)
    this.server = createServer((socket) => this.join(socket))
    this.server.on('error', (error: NodeJS.ErrnoException) => {
      // Who closed last took the folder away in between.
      if (error.code === 'ENOENT') this.listen()
    })
    this.server.unref()
    this.listen()
  }

  /** Tells the others, once a turn. */
  tell(change: Change): void {
    if (this.pending.size === 0) setImmediate(() => this.flush())
    this.pending.add(change)
  }

  close(): void {
    for (const peer of this.peers) peer.destroy()
    this.server.close(() => {
      // The last one leaves nothing behind.
      rmdir(this.folder, () => {})
    })
  }

  private listen(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    // Others are looked for once they can find us: of two that begin at once, one finds the other.
    this.server.listen(this.path, () => this.connect())
  }

  private flush(): void {
    const bytes = Array.from(this.pending, (change) => BYTES[change]).join('')
    this.pending.clear()
    for (const peer of this.peers) if (peer.writableLength === 0) peer.write(bytes)
  }

  private connect(): void {
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name)
      if (path === this.path) continue
      const socket = dial(path)
      // Whose process was killed left its socket behind.
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') rmSync(path, { force: true })
      })
      this.join(socket)
    }
  }

  private join(socket: Socket): void {
    this.peers.add(socket)
    socket.unref()
    socket.on('error', () => {})
    socket.on('close', () => this.peers.delete(socket))
    socket.on('data', (bytes) => {
      for (const byte of new Set(bytes.toString('latin1'))) {
        const change = CHANGES[byte]
        if (change !== undefined) this.told(change)
      }
    })
  }
}
