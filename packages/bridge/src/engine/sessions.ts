/** What a worker holds a session for. A publisher sends commands, a listener stores messages, and the one
 *  dispatcher delivers to webhooks. */
export type SessionKind = 'publisher' | 'listener' | 'dispatcher'

/** The right to a session, until it runs out or another takes it over. */
export interface Lease {
  /** Of the session, such as `publisher-2`: its MQTT Client Identifier ends with it. */
  readonly session: string
  /** Grows each time the session changes hands: what an earlier holder writes is refused. */
  readonly epoch: number
}

export interface AcquireOptions {
  /** Who asks. */
  readonly owner: string
  readonly now: number
  readonly leaseMs: number
  /** `abandoned`: only a session that somebody had and let go without ending it.
   *  `any` (default): such a one first, else a new one.
   *  `single`: the only one of its kind; undefined while somebody else holds it. */
  readonly which?: 'any' | 'abandoned' | 'single'
}

/** A record of a session's state: see `Store` of @pipit/client. A message has the command it is of. */
export interface SessionRecord {
  readonly key: string
  readonly value: Uint8Array
  readonly commandId?: string
}

/** A change of a session's records; a value of undefined takes the record away. */
export interface SessionChange {
  readonly key: string
  readonly value: Uint8Array | undefined
  readonly commandId?: string
}

/** MQTT sessions whose state outlives the process that has them. Holding one is a lease: who does not extend it in
 *  time, or whose process is known to be gone, loses it to the next who asks. */
export interface SessionStore {
  /** Takes a session that nobody holds. @returns undefined when there is none to be had */
  acquire(kind: SessionKind, options: AcquireOptions): Promise<Lease | undefined>
  /** Makes leases last `leaseMs` from now. @returns those that are still held */
  extend(leases: readonly Lease[], now: number, leaseMs: number): Promise<readonly Lease[]>
  /** Gives a session back; another may take it up at once. */
  release(lease: Lease): Promise<void>
  /** Ends a session: its records go, and commands that are `sent` under it are queued again. */
  remove(lease: Lease, now: number): Promise<void>
  /** @throws LeaseLostError */
  records(lease: Lease): Promise<readonly SessionRecord[]>
  /** Settles when the changes are durable. @throws LeaseLostError, and nothing is written */
  write(lease: Lease, changes: readonly SessionChange[]): Promise<void>
}
