import type { Timing } from './platform.ts'

/** Timers in a worker: a background tab's own are held back to one a minute. */
const WORKER = `const t=new Map();onmessage=({data:[i,m]})=>{if(m<0){clearTimeout(t.get(i));t.delete(i)}else t.set(i,setTimeout(()=>{t.delete(i);postMessage(i)},m))}`

/** A worker that has had nothing to wait for this long ends. */
const REST_MS = 1000

interface PageWorker {
  onmessage: ((event: { data: number }) => void) | null
  onerror: ((event: { preventDefault?: () => void }) => void) | null
  postMessage(message: readonly [number, number]): void
  terminate(): void
}

interface Timer {
  run: () => void
  readonly due: number
  own: unknown
}

/** Timers that go on in a background tab, where the page allows a worker; else the page's own. */
class Timers {
  private worker: PageWorker | undefined | null = null
  private readonly waiting = new Map<number, Timer>()
  private count = 0

  set(run: () => void, ms: number): number {
    const id = ++this.count
    const timer: Timer = { run, due: Date.now() + ms, own: undefined }
    this.waiting.set(id, timer)
    if (this.worker === null) this.worker = this.start()
    if (this.worker === undefined) this.setOwn(id, timer)
    else this.worker.postMessage([id, ms])
    return id
  }

  clear(id: number): void {
    const timer = this.waiting.get(id)
    if (timer === undefined) return
    this.waiting.delete(id)
    if (timer.own === undefined) this.worker?.postMessage([id, -1])
    else clearTimeout(timer.own as number)
    this.rest()
  }

  /** A client that has ended leaves no worker behind. */
  private rest(): void {
    if (this.waiting.size > 0 || !this.worker) return
    setTimeout(() => {
      if (this.waiting.size > 0 || !this.worker) return
      this.worker.terminate()
      this.worker = null
    }, REST_MS)
  }

  private start(): PageWorker | undefined {
    try {
      const { Worker } = globalThis as unknown as { Worker: new (url: string) => PageWorker }
      const url = URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }))
      const worker = new Worker(url)
      worker.onmessage = ({ data }) => this.fire(data)
      // A page's Content-Security-Policy may forbid it.
      worker.onerror = (event) => {
        event.preventDefault?.()
        this.worker = undefined
        for (const [id, timer] of this.waiting) this.setOwn(id, timer)
      }
      return worker
    } catch {
      return undefined
    }
  }

  private setOwn(id: number, timer: Timer): void {
    timer.own = setTimeout(() => this.fire(id), Math.max(0, timer.due - Date.now()))
  }

  private fire(id: number): void {
    const timer = this.waiting.get(id)
    this.waiting.delete(id)
    timer?.run()
    this.rest()
  }
}

/** Timers of one client. */
export function workerTimers(): Timing {
  const timers = new Timers()
  return {
    setTimer: (run, ms) => timers.set(run, ms),
    clearTimer: (timer) => timers.clear(timer as number),
  }
}
