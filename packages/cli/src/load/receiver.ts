import type { Histogram } from './histogram.ts'
import type { Link } from './link.ts'
import { PAYLOAD_HEAD } from './publisher.ts'

/** What one receiver has of one flow. */
export class Tally {
  received = 0
  /** Messages that were never seen before a later one was. */
  lost = 0
  /** Messages that came again, or after a later one. */
  repeated = 0
  private expected = 0

  /** @param sharing others may receive the messages in between */
  take(number: number, sharing: boolean): void {
    this.received++
    if (number < this.expected) {
      this.repeated++
      return
    }
    if (!sharing) this.lost += number - this.expected
    this.expected = number + 1
  }
}

const PUBACK = 0x40
const PUBREC = 0x50
const PUBCOMP = 0x70

/** Receives messages, checks each and acknowledges them, a chunk of acknowledgements at once. */
export class Receiver {
  /** By flow; empty where this receiver has nothing to get. */
  readonly tallies: (Tally | undefined)[]
  /** Messages of a flow that is not for this receiver, of a wrong size or of a wrong QoS. */
  strange = 0
  received = 0
  /** Where times from publisher to here are counted; undefined: nowhere. */
  latencies: Histogram | undefined = undefined
  private readonly link: Link
  private readonly version: 4 | 5
  private readonly size: number
  private readonly firstByte: number
  private readonly sharing: boolean
  private readonly time = new Float64Array(1)
  private readonly timeBytes = new Uint8Array(this.time.buffer)
  private now = 0
  private acks: Buffer = Buffer.allocUnsafe(4096)
  private acksLength = 0
  private readonly free: Buffer[] = []

  constructor(
    link: Link,
    tallies: (Tally | undefined)[],
    options: { version: 4 | 5; qos: number; size: number; sharing: boolean },
    chunkEnd: () => void,
  ) {
    this.link = link
    this.tallies = tallies
    this.version = options.version
    this.size = options.size
    this.sharing = options.sharing
    this.firstByte = 0x30 | (options.qos << 1)
    link.events.publish = (bytes, start, body, end) => this.publish(bytes, start, body, end)
    link.events.acknowledged = (_, packetId) => this.keepAck(PUBCOMP, packetId >> 8, packetId & 255)
    link.events.chunkEnd = () => {
      this.now = 0
      this.acknowledge()
      chunkEnd()
    }
  }

  private publish(bytes: Uint8Array, start: number, body: number, end: number): void {
    let at = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!)
    if (this.firstByte !== 0x30) {
      this.keepAck(this.firstByte === 0x32 ? PUBACK : PUBREC, bytes[at]!, bytes[at + 1]!)
      at += 2
    }
    if (this.version === 5) at = behindProperties(bytes, at)
    this.received++
    const isOurs = bytes[start] === this.firstByte && end - at === this.size
    const tally = isOurs ? this.tallies[uint32(bytes, at + 4)] : undefined
    if (tally === undefined) this.strange++
    else tally.take(uint32(bytes, at), this.sharing)
    if (this.latencies !== undefined && this.size >= PAYLOAD_HEAD) this.count(bytes, at + 8, this.latencies)
  }

  private count(bytes: Uint8Array, at: number, latencies: Histogram): void {
    const { timeBytes } = this
    for (let i = 0; i < 8; i++) timeBytes[i] = bytes[at + i]!
    if (this.now === 0) this.now = performance.now()
    latencies.add((this.now - this.time[0]!) * 1000)
  }

  private keepAck(first: number, high: number, low: number): void {
    if (this.acksLength + 4 > this.acks.length) this.acknowledge()
    const at = this.acksLength
    this.acks[at] = first
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

function behindProperties(bytes: Uint8Array, at: number): number {
  let length = 0
  let shift = 0
  for (;;) {
    const byte = bytes[at++]!
    length |= (byte & 127) << shift
    if (byte < 128) return at + length
    shift += 7
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}
