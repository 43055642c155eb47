import type { ReasonCode } from '@pipit/protocol'
import type { Limits } from './options.ts'

/** Counts connections, in all, by address and by user, and the rate at which an address makes them. */
export class Admission {
  private readonly limits: Limits
  private readonly now: () => number
  private total = 0
  private readonly byAddress = new Map<string, number>()
  private readonly byUser = new Map<string, number>()
  private readonly recent = new Map<string, { second: number; count: number }>()

  constructor(limits: Limits, now: () => number) {
    this.limits = limits
    this.now = now
  }

  /** Counts a connection that has come in; false when its address has, or makes, too many.
   *  @param address without the port */
  enter(address: string): boolean {
    const count = (this.byAddress.get(address) ?? 0) + 1
    this.total++
    this.byAddress.set(address, count)
    const withinRate = this.withinRate(address)
    return withinRate && count <= this.limits.connectionsPerAddress
  }

  /** A connection has gone. */
  leave(address: string, user: string | undefined): void {
    this.total--
    decrease(this.byAddress, address)
    if (user !== undefined) decrease(this.byUser, user)
  }

  /** Counts a client under its user once it is known; the code with which it is refused, or 0. */
  identify(user: string | undefined): ReasonCode {
    if (user === undefined) return 0
    const count = this.byUser.get(user) ?? 0
    if (count >= this.limits.connectionsPerUser) return 0x97
    this.byUser.set(user, count + 1)
    return 0
  }

  /** The code with which any further client is refused; 0: none is. */
  get refusal(): ReasonCode {
    return this.total > this.limits.connections ? 0x89 : 0
  }

  /** Forgets rates that no longer matter. */
  sweep(): void {
    const second = Math.floor(this.now() / 1000)
    for (const [address, recent] of this.recent) if (recent.second < second) this.recent.delete(address)
  }

  private withinRate(address: string): boolean {
    const { connectionRate } = this.limits
    if (connectionRate === 0) return true
    const second = Math.floor(this.now() / 1000)
    let recent = this.recent.get(address)
    if (recent === undefined || recent.second !== second) {
      recent = { second, count: 0 }
      this.recent.set(address, recent)
    }
    return ++recent.count <= connectionRate
  }
}

function decrease(counts: Map<string, number>, key: string): void {
  const count = counts.get(key) ?? 0
  if (count <= 1) counts.delete(key)
  else counts.set(key, count - 1)
}
