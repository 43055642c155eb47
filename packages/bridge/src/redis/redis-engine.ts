import { randomUUID } from 'node:crypto'
import type { Change, Engine } from '../engine/engine.ts'
import { parseRedisAddress } from './address.ts'
import { CHECK } from './check-scripts.ts'
import { CommandBook } from './command-book.ts'
import { Given } from './given.ts'
import { HookBook } from './hook-book.ts'
import { Link } from './link.ts'
import { MessageBook } from './message-book.ts'
import { SessionBook } from './session-book.ts'
import { WorkerBook } from './worker-book.ts'

export interface RedisEngineOptions {
  /** redis://USER:PASSWORD@HOST:6379/0?name=NAME; rediss:// over TLS. Several hosts, joined by commas, or `cluster`
   *  among the options: a Redis Cluster. */
  readonly url: string
  /** After which a call has failed. Default 5000. */
  readonly commandTimeoutMs?: number
  /** Told what of this Redis may lose commands. Default: a warning of the process. */
  readonly log?: (line: string) => void
}

const CHANGES: readonly Change[] = ['commands', 'messages', 'hooks']

/** The engine for several machines: Redis 7 or Valkey, any number of processes. What belongs together is one script,
 *  and all keys carry one hash tag, so that it runs on a Cluster as well. */
export class RedisEngine implements Engine {
  readonly commands: CommandBook
  readonly messages: MessageBook
  readonly sessions: SessionBook
  readonly hooks: HookBook
  readonly workers: WorkerBook
  private readonly link: Link
  private readonly listeners = new Set<(change: Change) => void>()
  private readonly own = randomUUID().slice(0, 8)
  private readonly pending = new Set<Change>()

  /** Begins to connect. @throws TypeError for an address that is not right */
  constructor({ url, commandTimeoutMs = 5_000, log = warn }: RedisEngineOptions) {
    const address = parseRedisAddress(url)
    this.link = new Link({ address, commandTimeoutMs, log, heard: (text) => this.hear(text) })
    const given = new Given()
    const told = (change: Change) => () => this.tell(change)
    this.commands = new CommandBook(this.link, given, told('commands'))
    this.messages = new MessageBook(this.link, told('messages'))
    this.sessions = new SessionBook(this.link, given, told('commands'))
    this.hooks = new HookBook(this.link, told('hooks'))
    this.workers = new WorkerBook(this.link)
  }

  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async check(): Promise<void> {
    await this.link.run(CHECK, ['1'], { isDurable: true })
  }

  async close(): Promise<void> {
    await this.link.close()
  }

  /** Tells those here at once, and the others once a turn. */
  private tell(change: Change): void {
    for (const listener of this.listeners) listener(change)
    if (this.pending.size === 0) setImmediate(() => this.flush())
    this.pending.add(change)
  }

  private flush(): void {
    this.link.tell([this.own, ...this.pending].join(' '))
    this.pending.clear()
  }

  private hear(text: string): void {
    const [from, ...said] = text.split(' ')
    if (from === this.own) return
    for (const change of CHANGES) {
      if (said.includes(change)) for (const listener of this.listeners) listener(change)
    }
  }
}

function warn(line: string): void {
  process.emitWarning(line, { code: 'PIPIT_QUEUE' })
}
