import { matches } from './filters.ts'

/** Compares a topic with one filter after the other: a page has few. @see topics/subscription-index.ts */
export class SubscriptionIndex<S extends object> {
  /** Grows with each change. */
  generation = 0
  /** How many pairs of filter and subscriber. */
  size = 0
  private readonly filters = new Map<string, Set<S>>()

  add(filter: string, subscriber: S): void {
    this.generation++
    const subscribers = this.filters.get(filter)
    if (subscribers?.has(subscriber)) return
    if (subscribers === undefined) this.filters.set(filter, new Set([subscriber]))
    else subscribers.add(subscriber)
    this.size++
  }

  remove(filter: string, subscriber: S): boolean {
    const subscribers = this.filters.get(filter)
    if (!subscribers?.delete(subscriber)) return false
    if (subscribers.size === 0) this.filters.delete(filter)
    this.size--
    this.generation++
    return true
  }

  match(topic: string, found: S[]): S[] {
    for (const [filter, subscribers] of this.filters) if (matches(filter, topic)) found.push(...subscribers)
    return found
  }
}
