import { matches, parseSharedFilter, type Subscription } from '@pipit/protocol'
import type { Sink } from './sink.ts'
import type { Entry } from './subscriptions.ts'

/** Subscription Identifiers: where filters of several receivers overlap, they say whose a message is.
 *  @see MQTT 5.0, 3.8.2.1.2 */
export class Identifiers {
  private readonly entries = new Map<number, Set<Entry>>()
  private last = 0

  /** The identifier for filters that are to be subscribed; 0: they need none.
   *  @param again subscribes to an older filter once more, with the identifier that it needs now */
  choose(
    all: readonly Entry[],
    wanted: readonly Subscription[],
    sink: Sink,
    again: (entry: Entry) => void,
  ): number {
    const rivals = all.filter((entry) => isRival(entry, wanted, sink))
    if (rivals.length === 0) return 0
    const identifier = this.next()
    // A message for both must say so: the older subscription is made again with an identifier.
    for (const entry of rivals) {
      if (entry.identifier !== 0) continue
      this.assign(entry, this.next())
      again(entry)
    }
    return identifier
  }

  /** The identifier that a filter is sent with from now on. */
  assign(entry: Entry, identifier: number): void {
    this.forget(entry)
    entry.identifier = identifier
    if (identifier === 0) return
    const same = this.entries.get(identifier)
    if (same === undefined) this.entries.set(identifier, new Set([entry]))
    else same.add(entry)
  }

  forget(entry: Entry): void {
    const same = this.entries.get(entry.identifier)
    if (same === undefined) return
    same.delete(entry)
    if (same.size === 0) this.entries.delete(entry.identifier)
  }

  /** The filter that an identifier stands for, when it stands for one. */
  only(identifiers: readonly number[]): Entry | undefined {
    const entries = identifiers.length === 1 ? this.entries.get(identifiers[0]!) : undefined
    if (entries?.size === 1) for (const entry of entries) return entry
    return undefined
  }

  /** The filters that a message came for. */
  match(identifiers: readonly number[], topic: string): Entry[] {
    const found: Entry[] = []
    for (const identifier of identifiers) {
      const entries = this.entries.get(identifier)
      if (entries === undefined) continue
      for (const entry of entries) if (entries.size === 1 || matches(entry.matching, topic)) found.push(entry)
    }
    return found
  }

  /** An identifier that no filter has. */
  private next(): number {
    do this.last = this.last === 268435455 ? 1 : this.last + 1
    while (this.entries.has(this.last))
    return this.last
  }
}

/** Says whether a filter of another receiver matches some of the same topics. */
function isRival(entry: Entry, wanted: readonly Subscription[], sink: Sink): boolean {
  if (entry.sinks.size === 1 && entry.sinks.has(sink)) return false
  return wanted.some((one) => one.topicFilter !== entry.filter && overlap(one.topicFilter, entry.filter))
}

/** Says whether some topic may match both filters, shared ones by what they share. */
export function overlap(one: string, other: string): boolean {
  const a = (parseSharedFilter(one)?.topicFilter ?? one).split('/')
  const b = (parseSharedFilter(other)?.topicFilter ?? other).split('/')
  for (let i = 0; ; i++) {
    const left = a[i]
    const right = b[i]
    if (left === '#' || right === '#') return true
    if (left === undefined || right === undefined) {
      // `a/#` matches `a` as well.
      return left === right || (left ?? right) === '#'
    }
    if (left !== right && left !== '+' && right !== '+') return false
  }
}
