import type { CommandQueue } from '../engine/commands.ts'
import type { Change } from '../engine/engine.ts'
import type { HookStore } from '../engine/hooks.ts'
import type { MessageStore } from '../engine/messages.ts'
import type { SessionStore } from '../engine/sessions.ts'
import type { WorkerStore } from '../engine/workers.ts'

/** What a call needs of the transaction it is part of. `read`: none; `written`: a commit, which outlives this
 *  process; `durable`: a commit that is on the disk as well. */
export type Need = 'read' | 'written' | 'durable'

interface CallRule {
  readonly need: Need
  /** Others want to hear of it. */
  readonly tells?: Change
}

type CallName =
  | `commands.${keyof CommandQueue}`
  | `messages.${keyof MessageStore}`
  | `sessions.${keyof SessionStore}`
  | `hooks.${keyof HookStore}`
  | `workers.${keyof WorkerStore}`
  | 'check'

/** Every call that the thread takes. A claim need not be on the disk: what follows from it is written behind it in
 *  the same log, so the disk never has the one without the other. */
export const CALLS = {
  'commands.add': { need: 'durable', tells: 'commands' },
  'commands.find': { need: 'read' },
  'commands.cancel': { need: 'durable' },
  'commands.claim': { need: 'written' },
  'commands.claimed': { need: 'read' },
  'commands.finish': { need: 'written', tells: 'commands' },
  'commands.counts': { need: 'read' },
  'commands.trim': { need: 'written' },
  'messages.append': { need: 'durable', tells: 'messages' },
  'messages.last': { need: 'read' },
  'messages.read': { need: 'read' },
  'messages.end': { need: 'read' },
  'messages.trim': { need: 'written' },
  'sessions.acquire': { need: 'durable' },
  'sessions.extend': { need: 'written' },
  'sessions.release': { need: 'written' },
  'sessions.remove': { need: 'durable', tells: 'commands' },
  'sessions.records': { need: 'read' },
  'sessions.write': { need: 'durable' },
  'hooks.add': { need: 'durable', tells: 'hooks' },
  'hooks.list': { need: 'read' },
  'hooks.remove': { need: 'durable', tells: 'hooks' },
  'hooks.advance': { need: 'written' },
  'hooks.deadLetters': { need: 'read' },
  'workers.report': { need: 'written' },
  'workers.list': { need: 'read' },
  check: { need: 'durable' },
} as const satisfies Record<CallName, CallRule>

export type Name = keyof typeof CALLS

export interface Call {
  readonly name: Name
  readonly args: readonly unknown[]
}

/** What came of a call. */
export type Answer =
  | { readonly value: unknown }
  | { readonly failed: { readonly code: string; readonly message: string } }
