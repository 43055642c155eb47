import { matches } from './filters.ts'

/** Compares a topic with one filter after the other: a page has few. @see topics/subscription-index.ts */
export class SubscriptionIndex<S extends object> {
  private pairs: (readonly [string, S])[] = []

  add(filter: string, subscriber: S): void {
    this.remove(filter, subscriber)
    this.pairs.push([filter, subscriber])
  }

  remove(filter: string, subscriber: S): void {
    this.pairs = this.pairs.filter(([one, other]) => one !== filter || other !== subscriber)
  }

  match(topic: string, found: S[]): S[] {
    for (const [filter, subscriber] of this.pairs) if (matches(filter, topic)) found.push(subscriber)
    return found
  }
}
