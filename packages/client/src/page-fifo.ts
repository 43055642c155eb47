/** A queue in an array with a gap at its beginning. @see fifo.ts, whose place it takes in a page */
export class Fifo<T> {
  private items: (T | undefined)[] = []
  private gap = 0

  get size(): number {
    return this.items.length - this.gap
  }

  push(item: T): void {
    this.items.push(item)
  }

  peek(): T | undefined {
    return this.items[this.gap]
  }

  shift(): T | undefined {
    const item = this.peek()
    if (item !== undefined) this.items[this.gap++] = undefined
    if (this.gap > 999) {
      this.items.splice(0, this.gap)
      this.gap = 0
    }
    return item
  }

  filter(keep: (item: T) => boolean): void {
    this.items = this.takeAll().filter(keep)
  }

  takeAll(): T[] {
    const all = this.items.splice(0).slice(this.gap)
    this.gap = 0
    return all as T[]
  }
}
