import type { Change, Engine, MessageEngine } from './engine/engine.ts'
import type { Lease, SessionStore } from './engine/sessions.ts'

/** Commands in one engine, messages and webhooks in another. A session is where what it changes is: that of a
 *  publisher with the commands, the others with the messages. */
export class SplitEngine implements Engine {
  readonly commands: Engine['commands']
  readonly messages: Engine['messages']
  readonly hooks: Engine['hooks']
  readonly sessions: SessionStore
  readonly workers: Engine['workers']
  private readonly queue: Engine
  private readonly log: MessageEngine

  constructor(queue: Engine, log: MessageEngine) {
    this.queue = queue
    this.log = log
    this.commands = queue.commands
    this.workers = queue.workers
    this.messages = log.messages
    this.hooks = log.hooks
    this.sessions = new SplitSessions(queue.sessions, log.sessions)
  }

  onChange(listener: (change: Change) => void): () => void {
    const ends = [this.queue.onChange(listener), this.log.onChange(listener)]
    return () => {
      for (const end of ends) end()
    }
  }

  /** Commands can be taken; whether messages can be read is asked of them. */
  check(): Promise<void> {
    return this.queue.check()
  }

  async close(): Promise<void> {
    await Promise.all([this.queue.close(), this.log.close()])
  }
}

class SplitSessions implements SessionStore {
  private readonly ofQueue: SessionStore
  private readonly ofLog: SessionStore

  constructor(ofQueue: SessionStore, ofLog: SessionStore) {
    this.ofQueue = ofQueue
    this.ofLog = ofLog
  }

  acquire(...[kind, options]: Parameters<SessionStore['acquire']>): ReturnType<SessionStore['acquire']> {
    return (kind === 'publisher' ? this.ofQueue : this.ofLog).acquire(kind, options)
  }

  /** Of one that cannot be reached nothing is known; the other's leases are extended all the same. */
  async extend(leases: readonly Lease[], now: number, leaseMs: number): Promise<readonly Lease[]> {
    const parts = [this.ofQueue, this.ofLog].map((store) => {
      const some = leases.filter((lease) => this.of(lease) === store)
      return some.length === 0 ? [] : store.extend(some, now, leaseMs)
    })
    await Promise.allSettled(parts)
    return (await Promise.all(parts)).flat()
  }

  release(lease: Lease): ReturnType<SessionStore['release']> {
    return this.of(lease).release(lease)
  }

  remove(lease: Lease, now: number): ReturnType<SessionStore['remove']> {
    return this.of(lease).remove(lease, now)
  }

  records(lease: Lease): ReturnType<SessionStore['records']> {
    return this.of(lease).records(lease)
  }

  write(...[lease, changes]: Parameters<SessionStore['write']>): ReturnType<SessionStore['write']> {
    return this.of(lease).write(lease, changes)
  }

  private of({ session }: Lease): SessionStore {
    return session.startsWith('publisher-') ? this.ofQueue : this.ofLog
  }
}
