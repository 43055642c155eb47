import type { Lease, SessionChange } from './sessions.ts'

/** Where a command stands. `queued` may become `cancelled` or `expired`; `sent` is with a worker; the others are
 *  final. */
export type CommandState = 'queued' | 'sent' | 'acknowledged' | 'failed' | 'expired' | 'cancelled'

/** Properties of a message that are kept and sent (MQTT 5.0). */
export interface MessageProperties {
  readonly contentType?: string
  readonly responseTopic?: string
  /** Base64. */
  readonly correlationData?: string
  readonly payloadFormatIndicator?: 0 | 1
  readonly userProperties?: readonly (readonly [name: string, value: string])[]
}

/** A command as it is put into the queue. Times are milliseconds since the epoch. */
export interface NewCommand {
  readonly id: string
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly properties?: MessageProperties
  /** Commands of one key are sent one after the other, each when the one before it is over. */
  readonly orderKey?: string
  readonly notBefore: number
  /** Not sent from then on; absent: never expires. */
  readonly expiresAt?: number
  /** Who may see it: the name of the key it came with. */
  readonly owner: string
  readonly createdAt: number
}

export interface Command extends NewCommand {
  readonly state: CommandState
  /** How often a worker has begun it. */
  readonly attempts: number
  readonly updatedAt: number
  /** The broker's answer, or that of the last attempt. */
  readonly reasonCode?: number
  readonly reason?: string
}

/** Makes a request repeatable: the same key of the same owner gives what it gave the first time. */
export interface Once {
  readonly owner: string
  readonly key: string
  /** Of the request's body: another one under the same key is a conflict. */
  readonly digest: string
  /** When the key is forgotten. */
  readonly expiresAt: number
}

export type Added =
  | { readonly kind: 'added' }
  | { readonly kind: 'repeated'; readonly ids: readonly string[] }
  | { readonly kind: 'conflict' }

/** What became of a command that was claimed. */
export type Outcome =
  | {
      readonly id: string
      readonly state: 'acknowledged' | 'failed' | 'expired'
      readonly reasonCode?: number
      readonly reason?: string
    }
  /** Back into the queue. */
  | {
      readonly id: string
      readonly state: 'queued'
      readonly notBefore: number
      readonly reasonCode?: number
      readonly reason?: string
    }

export interface Claim {
  readonly commands: readonly Command[]
  /** When the next one that is queued falls due, as far as that is known. */
  readonly nextAt?: number
}

export type CommandCounts = Readonly<Record<CommandState, number>>

/** The durable queue of commands. Every method rejects with EngineUnavailableError when it cannot do its work. */
export interface CommandQueue {
  /** Puts all of them into the queue, or none. Settles when they are durable. */
  add(commands: readonly NewCommand[], once?: Once): Promise<Added>
  find(id: string, now: number): Promise<Command | undefined>
  /** Takes a queued one out. @returns its state afterwards: `cancelled` when that worked; undefined: there is none */
  cancel(id: string, owner: string, now: number): Promise<CommandState | undefined>
  /** Gives commands that are due to the holder of a lease, oldest first; their state is `sent`, their attempts
   *  one more. Those that have expired are marked so and not given.
   *  @throws LeaseLostError */
  claim(lease: Lease, limit: number, now: number): Promise<Claim>
  /** What is `sent` under this lease, in the order of the queue: for who takes a session over.
   *  @throws LeaseLostError */
  claimed(lease: Lease): Promise<readonly Command[]>
  /** Marks what came of them, together with changes of the session's records: both or neither. A command that is
   *  not `sent` under this lease is left as it is. @throws LeaseLostError */
  finish(
    lease: Lease,
    outcomes: readonly Outcome[],
    now: number,
    changes?: readonly SessionChange[],
  ): Promise<void>
  counts(): Promise<CommandCounts>
  /** Forgets commands that were over before then, and idempotency keys that have expired. @returns how many commands went */
  trim(before: number, now: number): Promise<number>
}
