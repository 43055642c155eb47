import type { Clock } from '@pipit/device'

/** What a timer of Node takes at most. */
const LONGEST_MS = 2_147_483_647

/** Time that runs `speed` times as fast as the clock on the wall. */
export class ScaledClock implements Clock {
  private readonly speed: number

  constructor(speed: number) {
    this.speed = speed
  }

  now(): number {
    return performance.now() * this.speed
  }

  after(ms: number, callback: () => void): () => void {
    const due = this.now() + ms
    let timer: NodeJS.Timeout
    const wait = (): void => {
      const left = (due - this.now()) / this.speed
      timer = setTimeout(left > LONGEST_MS ? wait : callback, Math.min(Math.max(0, left), LONGEST_MS))
    }
    wait()
    return () => clearTimeout(timer)
  }
}
