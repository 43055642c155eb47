import { Fifo } from './fifo.ts'

/** `connecting`: an attempt is being made; `waiting`: for the next one; `closing`: what is queued goes out. */
export type ClientState = 'connecting' | 'connected' | 'waiting' | 'closing' | 'closed'

/** A change of the client's state. */
export interface Status {
  readonly state: ClientState
  /** The last failure, in `waiting` and `closed`. */
  readonly error?: Error
  /** Failures in a row, in `waiting`. */
  readonly failures?: number
  /** How long until the next attempt, in `waiting`. */
  readonly retryInMs?: number
}

/** A slow reader of the status misses the oldest changes beyond this many. */
const KEPT = 64
const DONE: IteratorResult<Status, undefined> = { done: true, value: undefined }

/** The client's state and everyone who follows it. */
export class StatusFeed {
  current: Status = { state: 'connecting' }
  private readonly followers = new Set<Follower>()

  change(status: Status): void {
    if (this.current.state === 'closed') return
    this.current = status
    for (const follower of this.followers) follower.push(status)
  }

  /** The present state, then each change; ends after `closed`. */
  follow(): AsyncIterableIterator<Status, undefined> {
    const follower = new Follower((left) => this.followers.delete(left))
    follower.push(this.current)
    this.followers.add(follower)
    return follower
  }
}

class Follower implements AsyncIterableIterator<Status, undefined> {
  private readonly changes = new Fifo<Status>()
  private readonly waiters = new Fifo<(result: IteratorResult<Status, undefined>) => void>()
  private readonly leave: (follower: Follower) => void
  private ended = false

  constructor(leave: (follower: Follower) => void) {
    this.leave = leave
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  push(status: Status): void {
    const waiter = this.waiters.shift()
    if (waiter !== undefined) waiter({ done: false, value: status })
    else {
      if (this.changes.size === KEPT) this.changes.shift()
      this.changes.push(status)
    }
    if (status.state === 'closed') this.end()
  }

  next(): Promise<IteratorResult<Status, undefined>> {
    const value = this.changes.shift()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.ended) return Promise.resolve(DONE)
    return new Promise((resolve) => this.waiters.push(resolve))
  }

  return(): Promise<IteratorResult<Status, undefined>> {
    this.changes.takeAll()
    this.end()
    return Promise.resolve(DONE)
  }

  private end(): void {
    this.ended = true
    this.leave(this)
    for (const waiter of this.waiters.takeAll()) waiter(DONE)
  }
}
