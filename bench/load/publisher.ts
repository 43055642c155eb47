import { encode, type QoS } from '@pipit/protocol'
import type { Link } from './link.ts'

export interface Flow {
  /** Which publisher a message is of; it is written into the payload. */
  readonly id: number
  readonly topic: string
  readonly qos: QoS
  /** Bytes of a payload, 8 or more: sequence number and flow, then filling. */
  readonly size: number
  /** Most messages that may be on their way to the slowest receiver. */
  readonly credit: number
  /** Most QoS 1 messages without PUBACK. */
  readonly window: number
}

/** Publishes as fast as its credit lets it. A batch is encoded once; only the numbers in it change. */
export class Publisher {
  sent = 0
  acknowledged = 0
  /** Milliseconds from each message to its PUBACK, counted in quarters, while this is not undefined. */
  latencies: Uint32Array | undefined = undefined
  private readonly sentAt = new Float64Array(65536)
  /** PUBACKs that did not come in the order of their messages. */
  strayAcks = 0
  private readonly link: Link
  private readonly flow: Flow
  private readonly packetLength: number
  private readonly idOffset: number
  private readonly template: Uint8Array
  private readonly free: Uint8Array[] = []

  constructor(link: Link, flow: Flow) {
    const { topic, qos, size, id } = flow
    const payload = new Uint8Array(size)
    new DataView(payload.buffer).setUint32(4, id, true)
    const packet = {
      type: 'PUBLISH',
      topic,
      payload,
      qos,
      retain: false,
      dup: false,
      packetId: qos ? 1 : 0,
    } as const
    const one = encode(packet, 4)
    this.link = link
    this.flow = flow
    this.packetLength = one.length
    this.idOffset = one.length - size - 2
    this.template = new Uint8Array(one.length * Math.min(flow.credit, 512))
    for (let at = 0; at < this.template.length; at += one.length) this.template.set(one, at)
    link.events.puback = (packetId) => this.puback(packetId)
  }

  /** Messages of QoS 1 whose PUBACK has not come. */
  get unacknowledged(): number {
    return this.flow.qos > 0 ? this.sent - this.acknowledged : 0
  }

  /** Sends what fits: `received` messages have reached the slowest receiver, and at most `limit` are sent in all. */
  pump(received: number, limit: number): void {
    const { credit, window, qos } = this.flow
    for (;;) {
      let room = Math.min(credit - (this.sent - received), limit - this.sent)
      if (qos > 0) room = Math.min(room, window - this.unacknowledged)
      room = Math.min(room, this.template.length / this.packetLength)
      if (room <= 0) return
      this.send(room)
    }
  }

  private send(messages: number): void {
    const bytes = this.free.pop() ?? this.template.slice()
    const { packetLength, idOffset } = this
    const payloadOffset = packetLength - this.flow.size
    let number = this.sent
    if (this.latencies !== undefined)
      this.sentAt.fill(performance.now(), number & 65535, (number & 65535) + messages)
    for (let i = 0, at = 0; i < messages; i++, at += packetLength) {
      const p = at + payloadOffset
      bytes[p] = number
      bytes[p + 1] = number >> 8
      bytes[p + 2] = number >> 16
      bytes[p + 3] = number >> 24
      if (this.flow.qos > 0) {
        const packetId = packetIdOf(number)
        bytes[at + idOffset] = packetId >> 8
        bytes[at + idOffset + 1] = packetId
      }
      number++
    }
    this.sent = number
    this.link.write(bytes.subarray(0, messages * packetLength), () => this.free.push(bytes))
  }

  private puback(packetId: number): void {
    if (packetId !== packetIdOf(this.acknowledged)) this.strayAcks++
    const at = this.sentAt[this.acknowledged & 65535]
    if (this.latencies !== undefined && at !== undefined && at > 0) {
      const quarters = Math.floor((performance.now() - at) * 4)
      this.latencies[Math.min(quarters, this.latencies.length - 1)]!++
    }
    this.acknowledged++
  }
}

/** Message 0 has identifier 1, message 65535 identifier 1 again. */
function packetIdOf(number: number): number {
  return (number % 65535) + 1
}
