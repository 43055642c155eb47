import type { BufferPool } from './buffer-pool.ts'
import type { Segment } from './output.ts'
import type { Sender } from './sender.ts'

/** What is written at the end of this turn of the event loop: one write for each connection that has something,
 *  against one hundredth of the throughput with a write per message (bench/broker). */
export class Turn {
  private readonly pool: BufferPool
  private dirty: Sender[] = []
  private segments: Segment[] = []
  private scheduled = false

  constructor(pool: BufferPool) {
    this.pool = pool
  }

  /** This connection is written at the end of the turn. */
  flushSoon(connection: Sender): void {
    this.dirty.push(connection)
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.flushAll)
  }

  /** The segment's buffer can be used again once all have written it. */
  returnSoon(segment: Segment): void {
    this.segments.push(segment)
  }

  private readonly flushAll = (): void => {
    this.scheduled = false
    const { dirty, segments } = this
    this.dirty = []
    for (let i = 0; i < dirty.length; i++) {
      const connection = dirty[i]!
      connection.dirty = false
      if (!connection.closed) connection.flush()
    }
    if (segments.length === 0) return
    this.segments = []
    for (const segment of segments) {
      segment.open = false
      if (!segment.lent) this.pool.give(segment.buffer)
    }
  }
}
