import type { Change, MessageEngine } from '../engine/engine.ts'
import type { HookStore } from '../engine/hooks.ts'
import type { MessageStore } from '../engine/messages.ts'
import type { SessionStore } from '../engine/sessions.ts'
import { Connections } from './connections.ts'
import { HookTable } from './hook-table.ts'
import { MessageTable } from './message-table.ts'
import { Notifications } from './notifications.ts'
import { SessionTable } from './session-table.ts'

export interface PostgresOptions {
  /** postgres://user:password@host:5432/name, with `?schema=NAME` for another than `pipit_bridge`. */
  readonly address: string
  /** Told of a server that may lose what it has committed. */
  readonly log?: (line: string) => void
}

/** Messages, webhooks and the sessions that come with them, in PostgreSQL: any number of processes and machines. */
export class PostgresLog implements MessageEngine {
  readonly messages: MessageStore
  readonly sessions: SessionStore
  readonly hooks: HookStore
  private readonly connections: Connections
  private readonly notifications: Notifications
  private readonly listeners = new Set<(change: Change) => void>()

  /** Connects when it is first asked for something.
   *  @throws TypeError for an address that is not right */
  constructor({ address, log = () => {} }: PostgresOptions) {
    this.connections = new Connections(address, log)
    this.notifications = new Notifications(this.connections, (change) => this.tell(change))
    this.messages = new MessageTable(this.connections, this.notifications.news('messages'))
    this.hooks = new HookTable(this.connections, this.notifications.news('hooks'))
    this.sessions = new SessionTable(this.connections)
  }

  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener)
    this.notifications.begin()
    return () => this.listeners.delete(listener)
  }

  async close(): Promise<void> {
    await this.notifications.close()
    await this.connections.close()
  }

  private tell(change: Change): void {
    for (const listener of this.listeners) listener(change)
  }
}
