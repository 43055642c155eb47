import {
  checkTopicName,
  encode,
  type Publish,
  type PublishProperties,
  type QoS,
  Reader,
  Slab,
} from '@pipit/protocol'
import type { Session } from '../sessions/session.ts'
import { Delivery } from './delivery.ts'

/** How PUBLISH is laid out: without properties (3.1 and 3.1.1) or with (5.0). */
export type WireVersion = 4 | 5

/** Where the parts of a PUBLISH frame are; all offsets into the same bytes. */
export interface FrameParts {
  readonly bytes: Uint8Array
  readonly start: number
  /** Of the Packet Identifier; 0 at QoS 0. */
  readonly idOffset: number
  /** Of the value of Message Expiry Interval; 0 when there is none. */
  readonly expiryOffset: number
  readonly payloadStart: number
  readonly end: number
}

/** A message in storage. */
export class StoredMessage {
  /** Its number while anyone there holds it. */
  id = 0
  /** How many do. */
  holds = 0
}

/** One application message, held as a PUBLISH frame in the bytes it came in. Forwarding it in the same form
 *  copies the frame and patches a few bytes; another form is made once and shared by all who need it. */
export class Message implements FrameParts {
  readonly topic: string
  readonly bytes: Uint8Array
  readonly start: number
  readonly idOffset: number
  readonly expiryOffset: number
  readonly payloadStart: number
  readonly end: number
  readonly version: WireVersion
  readonly qos: QoS
  readonly retain: boolean
  /** Milliseconds since the epoch; Infinity: never. */
  readonly expiresAt: number
  /** Properties beside expiry and alias; undefined when there are none. */
  readonly properties: PublishProperties | undefined
  /** The session that it came from; set later only for one that storage gives back. */
  publisher: Session | undefined
  /** Not written to storage: its topic is set to be kept in memory. */
  volatile = false
  /** What storage knows of it; shared with its compact form. Undefined: nothing. */
  stored: StoredMessage | undefined = undefined
  private forms: (Message | undefined)[] | undefined = undefined
  private deliveries: (Delivery | undefined)[] | undefined = undefined
  private compacted: Message | undefined = undefined

  constructor(
    topic: string,
    parts: FrameParts,
    version: WireVersion,
    qos: QoS,
    retain: boolean,
    expiresAt: number,
    properties: PublishProperties | undefined,
    publisher: Session | undefined,
  ) {
    this.topic = topic
    this.bytes = parts.bytes
    this.start = parts.start
    this.idOffset = parts.idOffset
    this.expiryOffset = parts.expiryOffset
    this.payloadStart = parts.payloadStart
    this.end = parts.end
    this.version = version
    this.qos = qos
    this.retain = retain
    this.expiresAt = expiresAt
    this.properties = properties
    this.publisher = publisher
  }

  /** Makes a message of its parts.
   *  @throws TypeError, RangeError naming the part that MQTT cannot carry */
  static of(
    topic: string,
    payload: Uint8Array,
    qos: QoS,
    retain: boolean,
    properties: PublishProperties | undefined,
    publisher: Session | undefined,
    now: number,
  ): Message {
    const expiry = properties?.messageExpiryInterval
    const kept = forwarded(properties)
    const version: WireVersion = kept === undefined ? 4 : 5
    const parts = build(topic, payload, qos, kept, version)
    const expiresAt = expiry === undefined ? Number.POSITIVE_INFINITY : now + expiry * 1000
    return new Message(topic, parts, version, qos, retain, expiresAt, kept, publisher)
  }

  /** A message in a frame that was decoded to `packet`. */
  static fromFrame(
    bytes: Uint8Array,
    packet: Publish,
    version: WireVersion,
    qos: QoS,
    retain: boolean,
    expiresAt: number,
  ): Message {
    const parts = measure(bytes, packet.packetId !== 0, version)
    return new Message(
      packet.topic,
      parts,
      version,
      qos,
      retain,
      expiresAt,
      forwarded(packet.properties),
      undefined,
    )
  }

  /** A view of the payload. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.end)
  }

  get payloadLength(): number {
    return this.end - this.payloadStart
  }

  /** Bytes of the frame. */
  get size(): number {
    return this.end - this.start
  }

  /** The same message laid out for a receiver of `version`, with a Packet Identifier or without. */
  form(version: WireVersion, withId: boolean): Message {
    if (version === this.version && withId === this.idOffset > 0) return this
    const index = (version === 5 ? 2 : 0) + (withId ? 1 : 0)
    this.forms ??= [undefined, undefined, undefined, undefined]
    return (this.forms[index] ??= this.make(version, withId))
  }

  /** What a receiver without special wishes gets at `qos`: shared by all of them. */
  delivery(qos: QoS): Delivery {
    this.deliveries ??= [undefined, undefined, undefined]
    return (this.deliveries[qos] ??= new Delivery(this, qos, false, undefined, undefined))
  }

  /** The same message with its Message Expiry Interval beginning now. */
  restarted(now: number): Message {
    const { topic, payload, qos, retain, properties, publisher } = this
    if (properties?.messageExpiryInterval === undefined) return this
    return Message.of(topic, payload, qos, retain, properties, publisher, now)
  }

  /** The message in bytes of its own, when those it came in are much larger: for one that will stay. */
  compact(): Message {
    if (this.bytes.buffer.byteLength < 2 * this.size + 512) return this
    if (this.compacted === undefined) {
      lasting.copy(this.bytes, this.start, this.end)
      this.compacted = this.movedTo(lasting.bytes, lasting.start)
      this.compacted.volatile = this.volatile
      // Its bytes lie in a block with others that last: it is compact all the same, and the same message for storage.
      this.compacted.compacted = this.compacted
      this.stored ??= new StoredMessage()
      this.compacted.stored = this.stored
    }
    return this.compacted
  }

  /** The same message with other parts; it expires when its Message Expiry Interval says so, counted anew.
   *  @throws TypeError, RangeError naming the part that MQTT cannot carry */
  with(
    changes: {
      readonly topic?: string
      readonly payload?: Uint8Array | string
      readonly retain?: boolean
      readonly properties?: PublishProperties
    },
    now: number,
  ): Message {
    const { topic = this.topic, payload = this.payload, retain = this.retain } = changes
    const { properties = this.properties } = changes
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    checkTopicName(topic)
    return Message.of(topic, bytes, this.qos, retain, properties, this.publisher, now)
  }

  private movedTo(bytes: Uint8Array, start: number): Message {
    const by = this.start - start
    const parts = {
      bytes,
      start,
      idOffset: this.idOffset === 0 ? 0 : this.idOffset - by,
      expiryOffset: this.expiryOffset === 0 ? 0 : this.expiryOffset - by,
      payloadStart: this.payloadStart - by,
      end: this.end - by,
    }
    const { topic, version, qos, retain, expiresAt, properties, publisher } = this
    return new Message(topic, parts, version, qos, retain, expiresAt, properties, publisher)
  }

  private make(version: WireVersion, withId: boolean): Message {
    const properties = version === 5 ? this.properties : undefined
    const parts = build(this.topic, this.payload, withId ? 1 : 0, properties, version)
    return new Message(
      this.topic,
      parts,
      version,
      this.qos,
      this.retain,
      this.expiresAt,
      this.properties,
      this.publisher,
    )
  }
}

/** What a server forwards of a PUBLISH's properties: all but the alias and the identifiers,
 *  which belong to one connection. Undefined when nothing is left. */
export function forwarded(properties: PublishProperties | undefined): PublishProperties | undefined {
  if (properties === undefined) return undefined
  const { topicAlias: _alias, subscriptionIdentifiers: _identifiers, ...kept } = properties
  for (const name in kept) if (kept[name as keyof typeof kept] !== undefined) return kept
  return undefined
}

function build(
  topic: string,
  payload: Uint8Array,
  qos: QoS,
  properties: PublishProperties | undefined,
  version: WireVersion,
): FrameParts {
  const bytes = encode(
    {
      type: 'PUBLISH',
      topic,
      payload,
      qos,
      retain: false,
      dup: false,
      packetId: qos === 0 ? 0 : 1,
      properties,
    },
    version,
  )
  return measure(bytes, qos > 0, version)
}

const reader = new Reader(false)
/** Where messages are copied to that will stay: what comes and goes does not lie between them. */
const lasting = new Slab()

/** Finds the parts of a frame that we have encoded. */
function measure(bytes: Uint8Array, withId: boolean, version: WireVersion): FrameParts {
  reader.reset(bytes, 1, bytes.length)
  reader.variableByteInteger('Remaining Length')
  const topicLength = reader.uint16('Topic Name')
  reader.offset += topicLength
  let offset = reader.offset
  const idOffset = withId ? offset : 0
  if (withId) offset += 2
  let expiryOffset = 0
  if (version === 5) {
    reader.offset = offset
    const length = reader.variableByteInteger('Property Length')
    expiryOffset = findExpiry(bytes, reader.offset, reader.offset + length)
    offset = reader.offset + length
  }
  return { bytes, start: 0, idOffset, expiryOffset, payloadStart: offset, end: bytes.length }
}

/** Offset of the value of Message Expiry Interval among properties known to be well-formed; 0: none. */
export function findExpiry(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end) {
    const id = bytes[at++]!
    switch (id) {
      case 0x02:
        return at
      case 0x01:
        at += 1
        break
      case 0x23:
        at += 2
        break
      case 0x26:
        at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
        at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
        break
      case 0x0b:
        while (bytes[at++]! > 127);
        break
      default:
        at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!)
    }
  }
  return 0
}

/** Seconds left of a message that expires, rounded up so that one sent in time does not arrive as 0. */
export function secondsLeft(expiresAt: number, now: number): number {
  return Math.max(0, Math.ceil((expiresAt - now) / 1000))
}
