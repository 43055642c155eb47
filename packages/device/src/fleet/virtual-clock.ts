import type { Clock } from '../clock.ts'

interface Timer {
  readonly at: number
  /** Of two timers for one moment the one that was set first is due first. */
  readonly order: number
  callback: (() => void) | undefined
}

/** Time that runs as fast as the machine: it stands still while code runs and then goes to the next timer. */
export class VirtualClock implements Clock {
  private readonly heap: Timer[] = []
  private time: number
  private made = 0

  /** @param start milliseconds */
  constructor(start = 0) {
    this.time = start
  }

  now(): number {
    return this.time
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { at: this.time + Math.max(0, ms), order: this.made++, callback }
    this.push(timer)
    return () => {
      timer.callback = undefined
    }
  }

  /** Runs everything that is due until `end`, and leaves the time there.
   *  @param settled resolves when no promise that has settled has code left to run: one turn of the event loop.
   *    It is awaited after each timer, so that what a timer began is done before time goes on. */
  async run(end: number, settled: () => Promise<void>): Promise<void> {
    await settled()
    for (let first = this.heap[0]; first !== undefined && first.at <= end; first = this.heap[0]) {
      this.pop()
      const { callback } = first
      if (callback === undefined) continue
      this.time = first.at
      callback()
      await settled()
    }
    this.time = Math.max(this.time, end)
  }

  private push(timer: Timer): void {
    const { heap } = this
    let at = heap.push(timer) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Timer
      if (!isBefore(timer, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = timer
  }

  /** Takes the first timer off the heap. */
  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const right = heap[left + 1]
      const below = right !== undefined && isBefore(right, heap[left] as Timer) ? left + 1 : left
      const child = heap[below] as Timer
      if (!isBefore(child, last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
