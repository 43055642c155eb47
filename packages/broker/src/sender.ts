import {
  encodedLength,
  encodeInto,
  type OutboundAliases,
  type Packet,
  type ProtocolVersion,
  type Publish,
  type ReasonCode,
} from '@pipit/protocol'
import type { Broker } from './broker.ts'
import type { Mount } from './listeners/mount.ts'
import type { ByteStream } from './listeners/stream.ts'
import type { DropReason } from './metrics/ledger.ts'
import { copyBytes, Output, type Segment } from './output.ts'
import type { Delivery } from './routing/delivery.ts'
import { secondsLeft, type WireVersion } from './routing/message.ts'

/** Output beyond this waits in the session's queue, where it can still expire, and not in the socket's. */
const HIGH_WATER = 65536

/** What goes out on a connection: packets laid out for its client, appended to its output, written once a turn. */
export abstract class Sender {
  readonly broker: Broker
  readonly stream: ByteStream
  readonly output: Output
  protocolVersion: ProtocolVersion = 4
  wireVersion: WireVersion = 4
  /** Bytes, as the client announced. */
  maximumPacketSize = 268435460
  aliasesOut: OutboundAliases | undefined = undefined
  /** What its listener puts before topics; undefined: nothing. */
  mount: Mount | undefined = undefined
  /** Takes any frame as others do: it gives no limit, gets no aliases, and knows topics by their whole names. */
  isPlain = true
  /** Since when the kernel has taken nothing while bytes wait; 0: it does. */
  blockedSince = 0
  closed = false
  /** The output is on the broker's list for the end of this turn. */
  dirty = false
  /** Something waits for room in the output. */
  protected pumpAgain = false
  private ownPublishesSent = 0
  private ownPublishBytesSent = 0
  private otherPacketsSent = 0

  constructor(broker: Broker, stream: ByteStream) {
    this.broker = broker
    this.stream = stream
    this.output = new Output(stream, broker.pool)
  }

  abstract get clientId(): string

  /** Goes on with what waits for this client. */
  protected abstract pump(): void

  /** A hook wants to know of deliveries, and one has gone out. */
  protected abstract delivered(delivery: Delivery): void

  /** The client does not take its answers. */
  protected abstract pauseWhenBehind(): void

  get publishesSent(): number {
    return this.ownPublishesSent + this.output.sharedMessages
  }

  get publishBytesSent(): number {
    return this.ownPublishBytesSent + this.output.sharedPayloadBytes
  }

  get packetsSent(): number {
    return this.otherPacketsSent + this.publishesSent
  }

  get bytesSent(): number {
    return this.output.bytesWritten
  }

  /** Says whether more of what is queued may be sent now. After a no, what waits is asked for again
   *  once the kernel has taken what there is. */
  mayPump(): boolean {
    if (!this.output.blocked && this.output.backlog < HIGH_WATER) return true
    this.pumpAgain = true
    return false
  }

  /** What begins to wait while the socket takes nothing is asked for once it does. */
  pumpWhenTaken(): void {
    if (this.output.blocked) this.pumpAgain = true
  }

  /** Sends a packet that is no application message; false when it is larger than the client takes. */
  send(packet: Packet): boolean {
    const size = encodedLength(packet, this.protocolVersion)
    if (size > this.maximumPacketSize) return this.sendWithoutReason(packet)
    const own = this.output.reserve(size)
    this.output.advance(encodeInto(packet, this.protocolVersion, own, this.output.offset))
    this.touch()
    if (packet.type !== 'PUBLISH') {
      this.otherPacketsSent++
      if (this.output.blocked) this.pauseWhenBehind()
    }
    return true
  }

  /** Reason String and User Properties go before the packet outgrows the client's maximum [MQTT-3.2.2-19]. */
  private sendWithoutReason(packet: Packet): boolean {
    if (!('properties' in packet) || packet.properties === undefined) return false
    const { reasonString, userProperties, ...rest } = packet.properties as Record<string, unknown>
    if (reasonString === undefined && userProperties === undefined) return false
    return this.send({ ...packet, properties: rest } as Packet)
  }

  /** Sends PUBACK, PUBREC, PUBREL or PUBCOMP.
   *  @param first 0x40, 0x50, 0x62 or 0x70 */
  acknowledge(first: number, packetId: number, reasonCode: ReasonCode): void {
    const long = reasonCode !== 0 && this.wireVersion === 5
    const own = this.output.reserve(5)
    let at = this.output.offset
    own[at++] = first
    own[at++] = long ? 3 : 2
    own[at++] = packetId >> 8
    own[at++] = packetId
    if (long) own[at++] = reasonCode
    this.output.advance(at)
    this.otherPacketsSent++
    this.touch()
    if (this.output.blocked) this.pauseWhenBehind()
  }

  sendPubrel(packetId: number): void {
    this.acknowledge(0x62, packetId, 0)
  }

  /** How packets are laid out for this client is settled. */
  arranged(): void {
    this.isPlain =
      this.maximumPacketSize === 268435460 && this.aliasesOut === undefined && this.mount === undefined
  }

  /** Why this client cannot be sent a delivery: it takes no packet of its size, or has no name for its topic. */
  refusalOf(delivery: Delivery): DropReason | undefined {
    if (this.isPlain) return undefined
    if (this.mount?.covers(delivery.message.topic) === false) return 'not authorised'
    return this.fits(delivery) ? undefined : 'too large'
  }

  private fits(delivery: Delivery): boolean {
    if (this.maximumPacketSize === 268435460 || this.fitsWith(delivery, 0)) return true
    if (delivery.identifiers === undefined && this.mount === undefined) return false
    const exact = this.special(delivery, delivery.qos === 0 ? 0 : 1, false, 0, undefined)
    return encodedLength(exact, this.protocolVersion) <= this.maximumPacketSize
  }

  /** Says whether there is surely room for a delivery and so many bytes of properties besides. */
  private fitsWith(delivery: Delivery, besides: number): boolean {
    const form = delivery.message.form(this.wireVersion, delivery.qos > 0)
    const identifiers = delivery.identifiers === undefined ? 0 : 5 * delivery.identifiers.length + 2
    return form.size + identifiers + besides <= this.maximumPacketSize
  }

  /** Sends an application message. Ask `refusalOf` first. */
  sendPublish(delivery: Delivery, packetId: number, dup: boolean, now: number): void {
    this.ownPublishesSent++
    this.ownPublishBytesSent += delivery.message.payloadLength
    if (delivery.identifiers !== undefined || !this.isPlain) {
      if (delivery.identifiers !== undefined || this.aliasesOut !== undefined || this.mount !== undefined) {
        return this.sendSpecial(delivery, packetId, dup, now)
      }
    }
    const form = delivery.message.form(this.wireVersion, packetId !== 0)
    const size = form.end - form.start
    const { output } = this
    const own = output.reserve(size)
    const at = output.offset
    copyBytes(form.bytes, form.start, size, own, at)
    own[at] = 0x30 | (dup ? 8 : 0) | (delivery.qos << 1) | (delivery.retain ? 1 : 0)
    if (packetId !== 0) {
      const id = at + form.idOffset - form.start
      own[id] = packetId >> 8
      own[id + 1] = packetId
    }
    if (form.expiryOffset !== 0) {
      own.writeUInt32BE(secondsLeft(form.expiresAt, now), at + form.expiryOffset - form.start)
    }
    output.advance(at + size)
    this.touch()
  }

  /** A PUBLISH with Subscription Identifiers or a Topic Alias: made for this client alone. */
  private sendSpecial(delivery: Delivery, packetId: number, dup: boolean, now: number): void {
    let alias: TopicAlias | undefined
    // An alias that makes the packet too large would be assigned and never heard of: 3 bytes, and 2 for lengths.
    if (this.aliasesOut !== undefined && this.fitsWith(delivery, 5)) {
      const known = this.aliasesOut.known(delivery.message.topic)
      if (known !== 0) alias = { value: known, isKnown: true }
      else alias = { value: this.aliasesOut.assign(delivery.message.topic), isKnown: false }
    }
    this.send(this.special(delivery, packetId, dup, now, alias))
  }

  private special(
    delivery: Delivery,
    packetId: number,
    dup: boolean,
    now: number,
    alias: TopicAlias | undefined,
  ): Publish {
    const { message, qos, retain, identifiers } = delivery
    const topic = this.mount === undefined ? message.topic : this.mount.strip(message.topic)
    const expires = message.properties?.messageExpiryInterval !== undefined
    return {
      type: 'PUBLISH',
      topic: alias?.isKnown === true ? '' : topic,
      payload: message.payload,
      qos,
      retain,
      dup,
      packetId,
      properties: {
        ...message.properties,
        ...(expires && { messageExpiryInterval: secondsLeft(message.expiresAt, now) }),
        ...(alias !== undefined && { topicAlias: alias.value }),
        ...(identifiers !== undefined && { subscriptionIdentifiers: identifiers }),
      },
    }
  }

  /** Sends a QoS 0 message, or drops it when the client has fallen too far behind. */
  sendQoS0(delivery: Delivery, now: number): void {
    const { message } = delivery
    if (!this.mayAppend(message.size))
      return this.broker.dropped(this.clientId, message.topic, 'slow receiver')
    const refusal = this.refusalOf(delivery)
    if (refusal !== undefined) return this.broker.dropped(this.clientId, message.topic, refusal)
    this.sendPublish(delivery, 0, false, now)
    if (!this.broker.plainPublish) this.delivered(delivery)
  }

  /** Sends a run of `count` QoS 0 PUBLISH frames of one topic as they are, or drops it when the client is too slow. */
  sendRun(
    topic: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
    payloadBytes: number,
  ): void {
    if (this.closed) return
    if (this.output.blocked && !this.mayAppend(end - start)) {
      return this.broker.dropped(this.clientId, topic, 'slow receiver', count)
    }
    this.ownPublishesSent += count
    this.ownPublishBytesSent += payloadBytes
    this.output.append(bytes, start, end)
    this.touch()
  }

  /** The bytes of `segment` are this client's too, also those still to come this turn. */
  join(segment: Segment): void {
    this.output.join(segment)
    this.touch()
  }

  private mayAppend(size: number): boolean {
    const { output } = this
    if (!output.blocked) return true
    const { limits } = this.broker
    if (limits.memory > 0 && this.broker.isBeyondMemory(size)) return false
    return output.backlog + size <= limits.outputBytes
  }

  private touch(): void {
    if (!this.dirty) {
      this.dirty = true
      this.broker.turn.flushSoon(this)
    } else if (this.output.early) this.flush()
  }

  /** Writes what there is; called once at the end of a turn. */
  flush(): void {
    if (this.output.empty) return
    const taken = this.output.flush()
    if (!taken && this.blockedSince === 0) this.blockedSince = this.broker.now()
    if (taken && this.pumpAgain) this.pump()
  }
}

interface TopicAlias {
  readonly value: number
  /** The client has been told the name. */
  readonly isKnown: boolean
}
