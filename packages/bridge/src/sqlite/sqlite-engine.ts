import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CommandQueue } from '../engine/commands.ts'
import type { Change, Engine } from '../engine/engine.ts'
import type { HookStore } from '../engine/hooks.ts'
import type { MessageStore } from '../engine/messages.ts'
import type { SessionStore } from '../engine/sessions.ts'
import type { WorkerStore } from '../engine/workers.ts'
import { EngineUnavailableError } from '../errors.ts'
import { Caller } from './caller.ts'
import { CALLS, type Name } from './calls.ts'
import { Nudges } from './nudges.ts'

export interface SqliteEngineOptions {
  /** The file; it and its folder are made when missing. */
  readonly path: string
  /** The file grows no larger; what does not fit is refused, as on a full disk. */
  readonly fileLimitBytes?: number
}

/** The embedded engine: one SQLite file, any number of processes of one machine. */
export class SqliteEngine implements Engine {
  readonly commands: CommandQueue
  readonly messages: MessageStore
  readonly sessions: SessionStore
  readonly hooks: HookStore
  readonly workers: WorkerStore
  private readonly caller: Caller
  private readonly nudges: Nudges
  private readonly listeners = new Set<(change: Change) => void>()

  /** @throws EngineUnavailableError when the file cannot be made */
  constructor({ path, fileLimitBytes }: SqliteEngineOptions) {
    try {
      mkdirSync(dirname(path), { recursive: true })
      closeSync(openSync(path, 'a'))
    } catch (error) {
      throw new EngineUnavailableError(`${path} cannot be made: ${(error as Error).message}`, error)
    }
    this.caller = new Caller({ path, fileLimitBytes })
    this.nudges = new Nudges(path, (change) => this.tell(change))
    this.commands = this.part<CommandQueue>('commands')
    this.messages = this.part<MessageStore>('messages')
    this.sessions = this.part<SessionStore>('sessions')
    this.hooks = this.part<HookStore>('hooks')
    this.workers = this.part<WorkerStore>('workers')
  }

  onChange(listener: (change: Change) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async check(): Promise<void> {
    await this.caller.call('check', [])
  }

  async close(): Promise<void> {
    await this.caller.close()
    this.nudges.close()
  }

  /** One of the interfaces, each method of which is a call to the thread. */
  private part<T extends object>(table: string): T {
    const methods: Record<string, (...args: unknown[]) => Promise<unknown>> = {}
    for (const name of Object.keys(CALLS) as Name[]) {
      const [of, method] = name.split('.')
      if (of === table && method !== undefined) methods[method] = (...args) => this.call(name, args)
    }
    return methods as unknown as T
  }

  private async call(name: Name, args: readonly unknown[]): Promise<unknown> {
    const value = await this.caller.call(name, args)
    const rule = CALLS[name]
    if ('tells' in rule) {
      this.tell(rule.tells)
      this.nudges.tell(rule.tells)
    }
    return value
  }

  private tell(change: Change): void {
    for (const listener of this.listeners) listener(change)
  }
}
