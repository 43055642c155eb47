import type { CommandQueue } from './commands.ts'
import type { HookStore } from './hooks.ts'
import type { MessageStore } from './messages.ts'
import type { SessionStore } from './sessions.ts'
import type { WorkerStore } from './workers.ts'

/** What has changed: there may be commands to claim, messages to read, hooks to look at. */
export type Change = 'commands' | 'messages' | 'hooks'

/** What the API and the workers share: a queue, a log of messages, and who does what. Any number of processes may
 *  have one open at the same time. Every engine passes one contract suite (test/engine-contract.ts). */
export interface Engine {
  readonly commands: CommandQueue
  readonly messages: MessageStore
  readonly sessions: SessionStore
  readonly hooks: HookStore
  readonly workers: WorkerStore
  /** Tells of changes that this or another process has made: soon, as a rule, but never relied on; who needs to
   *  know looks once a second as well. @returns a function that ends it */
  onChange(listener: (change: Change) => void): () => void
  /** Settles when the engine can be written. @throws EngineUnavailableError */
  check(): Promise<void>
  /** Settles when what was begun is over. */
  close(): Promise<void>
}

/** The part of an engine that may be kept apart from the queue of commands: messages, webhooks, and the sessions of
 *  listeners and the dispatcher, whose records change together with them. */
export interface MessageEngine
  extends Pick<Engine, 'messages' | 'hooks' | 'sessions' | 'onChange' | 'close'> {}
