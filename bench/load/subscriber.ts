import type { QoS } from '@pipit/protocol'
import type { Link } from './link.ts'

/** Receives the messages of one flow, checks each and acknowledges them, a chunk of acknowledgements at once. */
export class Subscriber {
  received = 0
  /** Messages that were never seen before a later one was. */
  lost = 0
  /** Messages that came again, or after a later one. */
  repeated = 0
  /** Messages of another flow, of a wrong size or of a wrong QoS. */
  strange = 0
  private expected = 0
  private readonly link: Link
  private readonly flow: number
  private readonly size: number
  private readonly firstByte: number
  private acks: Buffer = Buffer.allocUnsafe(4096)
  private acksLength = 0
  private readonly free: Buffer[] = []

  constructor(link: Link, flow: number, qos: QoS, size: number, chunkEnd: () => void) {
    this.link = link
    this.flow = flow
    this.size = size
    this.firstByte = 0x30 | (qos << 1)
    link.events.publish = (bytes, start, body, end) => this.publish(bytes, start, body, end)
    link.events.chunkEnd = () => {
      this.acknowledge()
      chunkEnd()
    }
  }

  private publish(bytes: Uint8Array, start: number, body: number, end: number): void {
    const topicLength = ((bytes[body] as number) << 8) | (bytes[body + 1] as number)
    let payload = body + 2 + topicLength
    if (this.firstByte !== 0x30) {
      this.keepAck(bytes[payload] as number, bytes[payload + 1] as number)
      payload += 2
    }
    this.received++
    const flow = uint32(bytes, payload + 4)
    if (bytes[start] !== this.firstByte || end - payload !== this.size || flow !== this.flow) this.strange++
    else this.check(uint32(bytes, payload))
  }

  private check(number: number): void {
    if (number === this.expected) this.expected++
    else if (number > this.expected) {
      this.lost += number - this.expected
      this.expected = number + 1
    } else this.repeated++
  }

  private keepAck(high: number, low: number): void {
    if (this.acksLength + 4 > this.acks.length) this.acknowledge()
    const at = this.acksLength
    this.acks[at] = 0x40
    this.acks[at + 1] = 2
    this.acks[at + 2] = high
    this.acks[at + 3] = low
    this.acksLength = at + 4
  }

  private acknowledge(): void {
    if (this.acksLength === 0) return
    const full = this.acks
    this.link.write(full.subarray(0, this.acksLength), () => this.free.push(full))
    this.acks = this.free.pop() ?? Buffer.allocUnsafe(full.length)
    this.acksLength = 0
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}
