/** A queue in a ring that grows by doubling: no shifting of what is behind the head. */
export class Fifo<T> {
  size = 0
  private items: (T | undefined)[] = []
  private head = 0

  push(item: T): void {
    if (this.size === this.items.length) this.grow()
    this.items[(this.head + this.size++) & (this.items.length - 1)] = item
  }

  peek(): T | undefined {
    return this.size === 0 ? undefined : this.items[this.head]
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined
    const item = this.items[this.head]
    this.items[this.head] = undefined
    this.head = (this.head + 1) & (this.items.length - 1)
    this.size--
    return item
  }

  /** Leaves out what `keep` does not want; the rest keeps its order. */
  filter(keep: (item: T) => boolean): void {
    for (const item of this.takeAll()) if (keep(item)) this.push(item)
  }

  /** Takes everything out, in order. */
  takeAll(): T[] {
    const all: T[] = []
    for (let item = this.shift(); item !== undefined; item = this.shift()) all.push(item)
    this.items = []
    this.head = 0
    return all
  }

  private grow(): void {
    const old = this.items
    const grown = new Array<T | undefined>(old.length === 0 ? 16 : old.length * 2).fill(undefined)
    for (let i = 0; i < this.size; i++) grown[i] = old[(this.head + i) & (old.length - 1)]
    this.items = grown
    this.head = 0
  }
}
