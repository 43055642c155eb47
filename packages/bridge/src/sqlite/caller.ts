import { Worker } from 'node:worker_threads'
import { BridgeError, EngineUnavailableError, LeaseLostError } from '../errors.ts'
import type { Answer, Call, Name } from './calls.ts'
import type { DatabaseOptions } from './database.ts'
import type { FromThread, ToThread } from './thread.ts'

interface Pending extends Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Hands calls to the thread. What is called while the thread is at work becomes its next commit: the more comes,
 *  the more share one (bench/bridge). */
export class Caller {
  private readonly worker: Worker
  private waiting: Pending[] = []
  private underWay: readonly Pending[] = []
  private isScheduled = false
  private ended: Error | undefined = undefined
  private readonly stopped: Promise<void>

  constructor(data: DatabaseOptions) {
    const name = import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js'
    this.worker = new Worker(new URL(name, import.meta.url), { workerData: data })
    this.stopped = new Promise((resolve) => {
      this.worker.on('message', (message: FromThread) => {
        if ('stopped' in message) resolve()
        else this.take(message.answers)
      })
      this.worker.on('error', (error) => this.end(error))
      this.worker.on('exit', () => {
        this.end(new Error('the thread of the queue has ended'))
        resolve()
      })
    })
  }

  call(name: Name, args: readonly unknown[]): Promise<unknown> {
    if (this.ended !== undefined) return Promise.reject(unavailable(this.ended))
    return new Promise((resolve, reject) => {
      this.waiting.push({ name, args, resolve, reject })
      if (this.isScheduled || this.underWay.length > 0) return
      // Until the end of this turn: all that a read of many sockets brings is one commit.
      this.isScheduled = true
      setImmediate(() => this.post())
    })
  }

  /** Settles when all that was called is answered and the thread has ended. */
  async close(): Promise<void> {
    while (this.underWay.length + this.waiting.length > 0) {
      await this.call('commands.counts', []).catch(() => {})
    }
    if (this.ended === undefined) {
      this.ended = new Error('the queue has been closed')
      this.worker.postMessage({ stop: true } satisfies ToThread)
    }
    await this.stopped
    await this.worker.terminate()
  }

  private post(): void {
    this.isScheduled = false
    if (this.waiting.length === 0) return
    this.underWay = this.waiting
    this.waiting = []
    const calls = this.underWay.map(({ name, args }) => ({ name, args }))
    this.worker.postMessage({ calls } satisfies ToThread)
  }

  private take(answers: readonly Answer[]): void {
    const pending = this.underWay
    this.underWay = []
    this.post()
    for (const [i, each] of pending.entries()) {
      const answer = answers[i]
      if (answer !== undefined && 'value' in answer) each.resolve(answer.value)
      else each.reject(errorOf(answer?.failed))
    }
  }

  private end(error: Error): void {
    this.ended ??= error
    const lost = [...this.underWay, ...this.waiting]
    this.underWay = []
    this.waiting = []
    for (const { reject } of lost) reject(unavailable(error))
  }
}

function unavailable(error: Error): BridgeError {
  return new EngineUnavailableError(`the queue cannot be used: ${error.message}`, error)
}

function errorOf(failed: { code: string; message: string } | undefined): BridgeError {
  if (failed === undefined) return new EngineUnavailableError('the queue gave no answer')
  if (failed.code === 'LEASE_LOST')
    return new LeaseLostError(/lease of (\S+)/.exec(failed.message)?.[1] ?? '')
  if (failed.code === 'ENGINE_UNAVAILABLE') return new EngineUnavailableError(`the queue: ${failed.message}`)
  return new BridgeError(failed.code, failed.message)
}
