/** Why a message did not reach someone. */
export type DropReason =
  | 'queue full'
  | 'expired'
  | 'too large'
  | 'not authorised'
  | 'no one subscribed'
  | 'slow receiver'
  | 'rate'
  | 'storage failing'
  | 'retained full'
  | 'memory full'
  | 'payload format'
  | 'payload too large'
  | 'refused by hook'

export interface Loss {
  readonly clientId: string
  readonly topic: string
  readonly reason: DropReason
  count: number
  /** Milliseconds since the epoch. */
  lastAt: number
}

/** Every message lost, by client, topic and reason. Bounded: past the limit, topics of a client are counted as one. */
export class LossLedger {
  /** All losses by reason. */
  readonly totals = new Map<DropReason, number>()
  private readonly losses = new Map<string, Loss>()
  private readonly limit: number

  constructor(limit = 10_000) {
    this.limit = limit
  }

  add(clientId: string, topic: string, reason: DropReason, now: number, count = 1): void {
    this.totals.set(reason, (this.totals.get(reason) ?? 0) + count)
    const key = `${reason}\u0000${clientId}\u0000${topic}`
    let loss = this.losses.get(key)
    if (loss === undefined) {
      if (this.losses.size >= this.limit) {
        if (topic !== '(other topics)') this.addOther(clientId, reason, now, count)
        return
      }
      loss = { clientId, topic, reason, count: 0, lastAt: now }
      this.losses.set(key, loss)
    }
    loss.count += count
    loss.lastAt = now
  }

  /** What was lost, the greatest first. */
  list(): readonly Loss[] {
    return [...this.losses.values()].sort((a, b) => b.count - a.count)
  }

  private addOther(clientId: string, reason: DropReason, now: number, count: number): void {
    const key = `${reason}\u0000${clientId}\u0000(other topics)`
    const known = this.losses.get(key) ?? { clientId, topic: '(other topics)', reason, count: 0, lastAt: now }
    // A second bound, for many clients: the ledger at most doubles.
    if (this.losses.size >= 2 * this.limit && !this.losses.has(key)) return
    known.count += count
    known.lastAt = now
    this.losses.set(key, known)
  }
}
