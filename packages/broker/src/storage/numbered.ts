const PAGE_SIZE = 1024

/** A map by whole numbers most of which follow each other: pages of 1024, found at once where one number is near
 *  the last. A Map of a million costs 0.5 s of a start (bench/storage). */
export class Numbered<T> {
  size = 0
  private readonly pages = new Map<number, (T | undefined)[]>()
  private lastNumber = -1
  private last: (T | undefined)[] | undefined = undefined

  get(number: number): T | undefined {
    return this.page(number)?.[number % PAGE_SIZE]
  }

  has(number: number): boolean {
    return this.get(number) !== undefined
  }

  set(number: number, value: T): void {
    let page = this.page(number)
    if (page === undefined) {
      page = new Array<T | undefined>(PAGE_SIZE).fill(undefined)
      this.pages.set(this.lastNumber, page)
      this.last = page
    }
    const at = number % PAGE_SIZE
    if (page[at] === undefined) this.size++
    page[at] = value
  }

  /** In no particular order. */
  *values(): Generator<T, void, undefined> {
    for (const page of this.pages.values()) {
      for (const value of page) if (value !== undefined) yield value
    }
  }

  private page(number: number): (T | undefined)[] | undefined {
    const pageNumber = Math.floor(number / PAGE_SIZE)
    if (pageNumber !== this.lastNumber) {
      this.lastNumber = pageNumber
      this.last = this.pages.get(pageNumber)
    }
    return this.last
  }
}
