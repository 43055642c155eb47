import type { Connection } from '../connection.ts'
import { copyBytes, Segment } from '../output.ts'

const SEGMENT_SIZE = 65536

/** Sends the same bytes to many connections by appending them once to a segment that all of them write. */
export class FanOut {
  private readonly topic: string
  private readonly receivers: readonly Connection[]
  private segment: Segment | undefined = undefined
  /** Receivers that do not share: the kernel has not taken their last bytes. */
  private slow: Connection[] = []

  constructor(topic: string, receivers: readonly Connection[]) {
    this.topic = topic
    this.receivers = receivers
  }

  /** Sends `count` whole QoS 0 frames. */
  send(bytes: Uint8Array, start: number, end: number, count: number, payloadBytes: number): void {
    const size = end - start
    let segment = this.segment
    if (segment === undefined || !segment.open || segment.length + size > segment.buffer.length) {
      segment = this.begin(size)
    }
    copyBytes(bytes, start, size, segment.buffer, segment.length)
    segment.length += size
    segment.messages += count
    segment.payloadBytes += payloadBytes
    const { slow } = this
    for (let i = 0; i < slow.length; i++) slow[i]!.sendRun(this.topic, bytes, start, end, count, payloadBytes)
  }

  private begin(size: number): Segment {
    const receivers = this.receivers
    const broker = receivers[0]!.broker
    const segment = new Segment(broker.pool.take(Math.max(size, SEGMENT_SIZE)))
    broker.turn.returnSoon(segment)
    this.segment = segment
    this.slow = []
    for (let i = 0; i < receivers.length; i++) {
      const receiver = receivers[i]!
      if (receiver.closed) continue
      if (receiver.output.blocked) this.slow.push(receiver)
      else receiver.join(segment)
    }
    return segment
  }
}
