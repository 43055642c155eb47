import type { Redis } from 'ioredis'
import { MARK } from './check-scripts.ts'

/** Waits until what a Redis with `appendfsync everysec` has been given is on its disk. It does so over a connection of
 *  its own, which stands still meanwhile: a small write is behind all that was answered before it. */
export class DiskBarrier {
  private readonly client: Redis
  private readonly key: string
  private readonly timeoutMs: number
  private running: Promise<void> | undefined = undefined
  private next: Promise<void> | undefined = undefined

  /** @param key that a mark is written to */
  constructor(client: Redis, key: string, timeoutMs: number) {
    this.client = client
    this.key = key
    this.timeoutMs = timeoutMs
  }

  /** Settles when all that was answered before this call is on the disk. Who comes while others wait shares the
   *  next wait. */
  async passed(): Promise<void> {
    if (this.running === undefined) {
      this.running = this.pass().finally(() => {
        this.running = undefined
      })
      return this.running
    }
    this.next ??= this.running
      .catch(() => {})
      .then(() => {
        this.next = undefined
        return this.passed()
      })
    return this.next
  }

  end(): void {
    this.client.disconnect()
  }

  private async pass(): Promise<void> {
    await this.client.call('eval', MARK.text, 1, this.key, '1')
    const reply = await this.client.call('waitaof', 1, 0, this.timeoutMs)
    const [onDisk] = Array.isArray(reply) ? reply : []
    if (Number(onDisk) < 1) throw new Error(`its disk took over ${this.timeoutMs} ms`)
  }
}
