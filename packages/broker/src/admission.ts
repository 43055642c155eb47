import type { ReasonCode } from '@pipit/protocol'
import { isLoopback, networkOf } from './network.ts'
import { DEFAULT_LIMITS, type Limits } from './options.ts'

const ENDED = (): void => undefined

/** Counts connections, in all, by address and by user, the rate at which an address makes them, and how many of them
 *  have not come as far as a login. Addresses of one IPv6 network are one. */
export class Admission {
  private readonly limits: Limits
  private readonly now: () => number
  private total = 0
  private readonly byAddress = new Map<string, number>()
  private readonly byUser = new Map<string, number>()
  private readonly pending = new Map<string, number>()
  private readonly recent = new Map<string, { second: number; count: number }>()

  constructor(limits: Limits, now: () => number) {
    this.limits = limits
    this.now = now
  }

  /** Looks at a connection before anything is spent on it.
   *  @param address without the port
   *  @returns why it is closed at once; or what is to be called once it has logged in, or is gone */
  arrive(address: string): string | (() => void) {
    const network = networkOf(address)
    const { connectionsPerAddress, pendingPerAddress } = this.limits
    if (!this.withinRate(address, network)) return TOO_FAST
    if ((this.byAddress.get(network) ?? 0) >= connectionsPerAddress) return TOO_MANY
    // What a machine does to itself is bounded only where somebody says so.
    const isBounded = !isOwn(address) || pendingPerAddress !== DEFAULT_LIMITS.pendingPerAddress
    if (!isBounded) return ENDED
    const count = this.pending.get(network) ?? 0
    if (count >= pendingPerAddress) return TOO_MANY_PENDING
    this.pending.set(network, count + 1)
    let isPending = true
    return () => {
      if (isPending) decrease(this.pending, network)
      isPending = false
    }
  }

  /** Counts a connection that has come in; false when its address has too many.
   *  @param address without the port */
  enter(address: string): boolean {
    const network = networkOf(address)
    const count = (this.byAddress.get(network) ?? 0) + 1
    this.total++
    this.byAddress.set(network, count)
    return count <= this.limits.connectionsPerAddress
  }

  /** A connection has gone. */
  leave(address: string, user: string | undefined): void {
    this.total--
    decrease(this.byAddress, networkOf(address))
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

  private withinRate(address: string, network: string): boolean {
    const { connectionRate } = this.limits
    if (connectionRate === 0) return true
    if (connectionRate === DEFAULT_LIMITS.connectionRate && isOwn(address)) return true
    const second = Math.floor(this.now() / 1000)
    let recent = this.recent.get(network)
    if (recent === undefined || recent.second !== second) {
      recent = { second, count: 0 }
      this.recent.set(network, recent)
    }
    return ++recent.count <= connectionRate
  }
}

const TOO_FAST = 'closed: more connections a second from its address than limits.connectionRate'
const TOO_MANY = 'closed: more connections from its address than limits.connectionsPerAddress'
const TOO_MANY_PENDING =
  'closed: more connections from its address that have not logged in than limits.pendingPerAddress'

/** Says whether a peer is on this machine. */
function isOwn(address: string): boolean {
  return address === 'unix' || isLoopback(address.replace(/^\[(.*)\]$/, '$1'))
}

function decrease(counts: Map<string, number>, key: string): void {
  const count = counts.get(key) ?? 0
  if (count <= 1) counts.delete(key)
  else counts.set(key, count - 1)
}
