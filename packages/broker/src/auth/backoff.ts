import { networkOf } from '../network.ts'
import type { AuthenticationResult } from './authenticate.ts'

/** Failures from one address that cost nothing, and how many are forgiven a second. */
const ADDRESS = { burst: 20, perSecond: 1 / 3 }

/** Failures for one user from all addresses together. */
const USER = { burst: 50, perSecond: 1 }

/** Failures of one user at one address that cost nothing; from then on a wait doubles. */
const FREE = 3
const LONGEST_MS = 60_000

/** Entries kept of each kind: the oldest go first. */
const KEPT = 100_000

/** What is answered until it is over. */
export const GUESSED: AuthenticationResult = {
  reasonCode: 0x9f,
  reasonString: 'too many logins have failed; try again later',
}

/** Says whether a login failed in a way that may be guessing. */
export function isGuess({ reasonCode }: AuthenticationResult): boolean {
  return reasonCode === 0x86 || reasonCode === 0x85
}

/** Makes guessing passwords slow: by user and address, by address, and by user, whatever the address. Who logged in
 *  from an address before is not held up there by what others do. Addresses
 *  of one IPv6 network are one. */
export class Backoff {
  private readonly now: () => number
  private readonly pairs = new Map<string, { failures: number; until: number }>()
  private readonly addresses = new Map<string, Bucket>()
  private readonly users = new Map<string, Bucket>()
  private readonly welcome = new Set<string>()

  constructor(now: () => number) {
    this.now = now
  }

  /** Milliseconds until a login is looked at again; 0: now. */
  wait(from: string, username: string): number {
    const now = this.now()
    const address = networkOf(from)
    const pair = pairOf(address, username)
    const own = Math.max(0, (this.pairs.get(pair)?.until ?? 0) - now)
    if (this.welcome.has(pair)) return own
    const ofAddress = this.addresses.get(address)?.wait(now) ?? 0
    return Math.max(own, ofAddress, this.users.get(username)?.wait(now) ?? 0)
  }

  failed(from: string, username: string): void {
    const now = this.now()
    const address = networkOf(from)
    const pair = pairOf(address, username)
    const failures = (this.pairs.get(pair)?.failures ?? 0) + 1
    const pause = failures <= FREE ? 0 : Math.min(LONGEST_MS, 1000 * 2 ** (failures - FREE - 1))
    put(this.pairs, pair, { failures, until: now + pause })
    take(this.addresses, address, ADDRESS, now)
    take(this.users, username, USER, now)
  }

  succeeded(from: string, username: string): void {
    const pair = pairOf(networkOf(from), username)
    this.pairs.delete(pair)
    this.welcome.delete(pair)
    this.welcome.add(pair)
    if (this.welcome.size > KEPT) this.welcome.delete(first(this.welcome))
  }
}

interface Allowance {
  readonly burst: number
  readonly perSecond: number
}

/** Failures that are left, refilled with time. */
class Bucket {
  private readonly allowance: Allowance
  private left: number
  private at: number

  constructor(allowance: Allowance, now: number) {
    this.allowance = allowance
    this.left = allowance.burst
    this.at = now
  }

  take(now: number): void {
    this.refill(now)
    this.left = Math.max(0, this.left - 1)
  }

  wait(now: number): number {
    this.refill(now)
    return this.left >= 1 ? 0 : Math.ceil(((1 - this.left) / this.allowance.perSecond) * 1000)
  }

  private refill(now: number): void {
    const { burst, perSecond } = this.allowance
    this.left = Math.min(burst, this.left + (Math.max(0, now - this.at) / 1000) * perSecond)
    this.at = now
  }
}

function take(buckets: Map<string, Bucket>, key: string, allowance: Allowance, now: number): void {
  const bucket = buckets.get(key) ?? new Bucket(allowance, now)
  bucket.take(now)
  put(buckets, key, bucket)
}

/** Puts an entry last, and forgets the first when there are too many. */
function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > KEPT) map.delete(first(map))
}

function first(keys: Map<string, unknown> | Set<string>): string {
  return keys.keys().next().value ?? ''
}

/** No user name and no address has a line end in it that could make two pairs one. */
function pairOf(address: string, username: string): string {
  return `${address}\n${username}`
}
