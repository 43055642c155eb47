import type { Route } from './route.ts'

const SLOTS = 32
/** After so many topics in a row that were not here, a client is taken for one that publishes to ever other ones. */
const ROAMS_AFTER = 64
/** And for so many messages it is not looked here. */
const ROAMS_FOR = 4096

/** A topic that a connection publishes to: its bytes, what it resolved to and what the client may do there. */
export class TopicEntry {
  readonly bytes: Uint8Array
  /** Of the bytes, by `sampleOf`: most other topics differ in it, and their bytes need not be looked at. */
  readonly sample: number
  readonly route: Route
  /** Whether the client may publish here, and under which generation of the rules that was decided. */
  allowed: boolean
  rulesGeneration: number

  constructor(bytes: Uint8Array, route: Route, allowed: boolean, rulesGeneration: number, sample = 0) {
    this.bytes = bytes
    this.sample = sample
    this.route = route
    this.allowed = allowed
    this.rulesGeneration = rulesGeneration
  }
}

/** The topics a connection published to last, found by comparing bytes: no string is made per message.
 *  A Map of strings costs 80 to 106 ns a message instead (bench/broker p2p0). */
export class TopicTable {
  private readonly slots: (TopicEntry | undefined)[] = new Array(SLOTS).fill(undefined)
  private last: TopicEntry | undefined = undefined

  /** Topics in a row that were not here, and then messages for which nothing was looked up. */
  private missed = 0

  /** True while the client publishes to ever other topics: looking for them here is a third of what such a message
   *  costs (bench/broker wild100k). */
  get isRoaming(): boolean {
    return this.missed > ROAMS_AFTER
  }

  /** What was decided for this client has to be found again: it does not roam. */
  stay(): void {
    this.missed = 0
  }

  find(bytes: Uint8Array, start: number, length: number): TopicEntry | undefined {
    if (this.missed > ROAMS_AFTER) {
      if (++this.missed > ROAMS_AFTER + ROAMS_FOR) this.missed = 0
      return undefined
    }
    const sample = sampleOf(bytes, start, length)
    const last = this.last
    if (last !== undefined && last.sample === sample && same(last.bytes, bytes, start, length)) {
      this.missed = 0
      return last
    }
    const entry = this.slots[sample & (SLOTS - 1)]
    if (entry === undefined || entry.sample !== sample || !same(entry.bytes, bytes, start, length)) {
      this.missed++
      return undefined
    }
    this.missed = 0
    this.last = entry
    return entry
  }

  /** @param entry whose sample is of its bytes */
  add(entry: TopicEntry): void {
    this.slots[entry.sample & (SLOTS - 1)] = entry
    this.last = entry
  }
}

/** A number made of a topic's length and a few of its bytes. */
export function sampleOf(bytes: Uint8Array, start: number, length: number): number {
  const end = start + length - 1
  return length * 7 + bytes[end]! * 31 + bytes[end - (length >> 1)]! * 17 + bytes[end - (length >> 2)]! * 5
}

function same(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false
  // From the end: topics of one client differ there.
  for (let i = length - 1; i >= 0; i--) if (known[i] !== bytes[start + i]) return false
  return true
}
