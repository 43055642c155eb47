import type { Lease } from './sessions.ts'

/** A webhook: messages of a filter, sent to a URL. */
export interface Hook {
  readonly id: string
  readonly filter: string
  readonly url: string
  /** Signs what is sent. */
  readonly secret: string
  readonly owner: string
  readonly createdAt: number
}

/** How far a hook has come. */
export interface HookProgress {
  /** Everything up to here has been delivered, or set aside. */
  readonly cursor: string
  /** Failures in a row with the message behind the cursor. */
  readonly failures: number
  /** Not to be tried before then, milliseconds since the epoch. */
  readonly nextAt: number
}

export interface HookState extends Hook, HookProgress {}

/** A message that a hook's URL did not take, however often it was tried. */
export interface DeadLetter {
  readonly hookId: string
  /** Of the message. */
  readonly cursor: string
  readonly topic: string
  readonly reason: string
  readonly at: number
}

/** Dead letters that are kept for each hook. */
export const DEAD_LETTERS_KEPT = 1000

/** Webhooks and how far each has come. Every method rejects with EngineUnavailableError when it cannot do its work. */
export interface HookStore {
  /** Adds a hook that begins behind the newest message. */
  add(hook: Hook): Promise<void>
  /** All hooks, oldest first. */
  list(): Promise<readonly HookState[]>
  /** @returns false when there was none */
  remove(id: string, owner: string): Promise<boolean>
  /** Keeps how far a hook has come, with a message that is set aside. A hook that is gone is left so.
   *  @throws LeaseLostError */
  advance(lease: Lease, id: string, progress: HookProgress, dead?: DeadLetter): Promise<void>
  /** The newest first. */
  deadLetters(id: string, limit: number): Promise<readonly DeadLetter[]>
}
