import { encode, type PublishProperties, type QoS } from '@pipit/protocol'
import type { Histogram } from './histogram.ts'
import type { Link } from './link.ts'

/** What a payload begins with: the message's number, its flow, and when it was sent. */
export const PAYLOAD_HEAD = 16

/** Messages of one publisher: all alike but for their number and time. */
export interface Flow {
  /** Which publisher a message is of; it is written into the payload. */
  readonly id: number
  readonly topic: string
  readonly version: 4 | 5
  readonly qos: QoS
  /** Bytes of a payload, 16 or more. */
  readonly size: number
  /** Most messages that may be on their way to the slowest receiver. */
  readonly inFlight: number
  /** Most messages of QoS 1 and 2 that are not acknowledged. */
  readonly window: number
  readonly properties?: PublishProperties
  /** Send the topic once and its alias from then on (5.0). */
  readonly alias?: boolean
}

const PUBREC = 5
const PUBREL = 0x62

/** Publishes as fast as its credit lets it. A batch is encoded once; only the numbers in it change. */
export class Publisher {
  sent = 0
  acknowledged = 0
  /** Acknowledgements that did not come in the order of their messages. */
  strayAcks = 0
  /** Where times from a message to the end of its handshake are counted; undefined: nowhere. */
  latencies: Histogram | undefined = undefined
  private readonly sentAt: Float64Array
  private readonly link: Link
  private readonly flow: Flow
  private readonly packetLength: number
  private readonly idOffset: number
  private readonly template: Uint8Array
  private readonly free: Uint8Array[] = []
  private readonly time = new Float64Array(1)
  private readonly timeBytes = new Uint8Array(this.time.buffer)
  private releases: Buffer = Buffer.allocUnsafe(4096)
  private releasesLength = 0
  private released = 0

  constructor(link: Link, flow: Flow) {
    const one = encodeMessage(flow, flow.alias === true ? '' : flow.topic)
    this.link = link
    this.flow = flow
    this.packetLength = one.length
    const properties = flow.version === 5 ? propertyBytes(flow) : 0
    this.idOffset = one.length - flow.size - properties - 2
    this.template = new Uint8Array(one.length * Math.min(flow.inFlight, 512))
    for (let at = 0; at < this.template.length; at += one.length) this.template.set(one, at)
    this.sentAt = new Float64Array(flow.qos > 0 ? 65536 : 0)
    link.events.acknowledged = (type, packetId) => this.takeAck(type, packetId)
  }

  /** Messages whose handshake has not come to its end. */
  get unacknowledged(): number {
    return this.flow.qos > 0 ? this.sent - this.acknowledged : 0
  }

  /** Sends what fits: `received` messages have reached the slowest receiver, and at most `limit` are sent in all. */
  pump(received: number, limit: number): void {
    const { inFlight, window, qos } = this.flow
    this.flushReleases()
    if (this.sent === 0 && this.flow.alias === true && limit > 0) this.introduceAlias()
    for (;;) {
      let room = Math.min(inFlight - (this.sent - received), limit - this.sent)
      if (qos > 0) room = Math.min(room, window - this.unacknowledged)
      room = Math.min(room, this.template.length / this.packetLength)
      if (room <= 0) return
      this.send(room)
    }
  }

  /** The first message carries the topic and its alias. */
  private introduceAlias(): void {
    this.time[0] = performance.now()
    const bytes = encodeMessage(this.flow, this.flow.topic)
    this.number(bytes, bytes.length - this.flow.size, this.idOffset + this.flow.topic.length, 0)
    this.sent = 1
    this.link.write(bytes)
  }

  private send(messages: number): void {
    const bytes = this.free.pop() ?? this.template.slice()
    const { packetLength, idOffset } = this
    const payloadOffset = packetLength - this.flow.size
    this.time[0] = performance.now()
    for (let i = 0, at = 0; i < messages; i++, at += packetLength) {
      this.number(bytes, at + payloadOffset, at + idOffset, this.sent++)
    }
    this.link.write(bytes.subarray(0, messages * packetLength), () => this.free.push(bytes))
  }

  private number(bytes: Uint8Array, payload: number, id: number, number: number): void {
    const { timeBytes } = this
    bytes[payload] = number
    bytes[payload + 1] = number >> 8
    bytes[payload + 2] = number >> 16
    bytes[payload + 3] = number >> 24
    for (let i = 0; i < 8; i++) bytes[payload + 8 + i] = timeBytes[i]!
    if (this.flow.qos === 0) return
    const packetId = packetIdOf(number)
    bytes[id] = packetId >> 8
    bytes[id + 1] = packetId
    this.sentAt[number & 65535] = this.time[0]!
  }

  private takeAck(type: number, packetId: number): void {
    if (type === PUBREC) {
      if (packetId !== packetIdOf(this.released++)) this.strayAcks++
      return this.release(packetId)
    }
    if (packetId !== packetIdOf(this.acknowledged)) this.strayAcks++
    if (this.latencies !== undefined) {
      this.latencies.add((performance.now() - this.sentAt[this.acknowledged & 65535]!) * 1000)
    }
    this.acknowledged++
  }

  private release(packetId: number): void {
    if (this.releasesLength + 4 > this.releases.length) this.flushReleases()
    const at = this.releasesLength
    this.releases[at] = PUBREL
    this.releases[at + 1] = 2
    this.releases[at + 2] = packetId >> 8
    this.releases[at + 3] = packetId
    this.releasesLength = at + 4
  }

  private flushReleases(): void {
    if (this.releasesLength === 0) return
    this.link.write(this.releases.subarray(0, this.releasesLength))
    this.releases = Buffer.allocUnsafe(this.releases.length)
    this.releasesLength = 0
  }
}

function encodeMessage(flow: Flow, topic: string): Uint8Array {
  const { id, qos, size, version } = flow
  const payload = new Uint8Array(size)
  new DataView(payload.buffer).setUint32(4, id, true)
  const properties = flow.alias === true ? { ...flow.properties, topicAlias: 1 } : flow.properties
  const packetId = qos === 0 ? 0 : 1
  return encode(
    { type: 'PUBLISH', topic, payload, qos, retain: false, dup: false, packetId, properties },
    version,
  )
}

/** Bytes between the Packet Identifier and the payload. */
function propertyBytes(flow: Flow): number {
  const bare = encodeMessage({ ...flow, version: 4, properties: undefined, alias: false }, 'x')
  return encodeMessage(flow, 'x').length - bare.length - longerHeader(flow)
}

/** What the fixed header grows by when the properties are there. */
function longerHeader(flow: Flow): number {
  const headerOf = (bytes: Uint8Array): number => bytes.subarray(1).findIndex((byte) => byte < 128)
  const bare = encodeMessage({ ...flow, version: 4, properties: undefined, alias: false }, 'x')
  return headerOf(encodeMessage(flow, 'x')) - headerOf(bare)
}

/** Message 0 has identifier 1, message 65535 identifier 1 again. */
function packetIdOf(number: number): number {
  return (number % 65535) + 1
}
