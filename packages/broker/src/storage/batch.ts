import {
  DELETE_INBOUND,
  DELETE_MESSAGE,
  DELETE_REFERENCE,
  DELETE_RETAINED,
  DELETE_SESSION,
  DELETE_SUBSCRIPTION,
  DELETE_WILL,
  type InboundRecord,
  type MessageRecord,
  PUT_INBOUND,
  PUT_MESSAGE,
  PUT_REFERENCE,
  PUT_RETAINED,
  PUT_SESSION,
  PUT_SOURCED,
  PUT_SUBSCRIPTION,
  PUT_WILL,
  type RecordSink,
  type ReferenceRecord,
  type RetainedRecord,
  type SessionRecord,
  type SubscriptionRecord,
  UPDATE_REFERENCE,
  type WillRecord,
} from './records.ts'

const FIRST_SIZE = 65536
/** Buffers kept to be used again, and how large one may be for that. */
const SPARE_BUFFERS = 16
const SPARE_SIZE = 1048576

/** Writes records into one buffer that is handed to the writer thread whole: 50 ns a record,
 *  where cloning an object for each costs 1 µs (bench/storage). */
export class BatchWriter implements RecordSink {
  /** Records written. */
  count = 0
  private bytes = Buffer.allocUnsafeSlow(FIRST_SIZE)
  private view = viewOf(this.bytes)
  private at = 0
  private readonly spare: Buffer<ArrayBuffer>[] = []

  /** Bytes written. */
  get size(): number {
    return this.at
  }

  /** Takes what was written and begins anew. */
  take(): Buffer {
    const batch = this.bytes.subarray(0, this.at)
    this.bytes = this.spare.pop() ?? Buffer.allocUnsafeSlow(FIRST_SIZE)
    this.view = viewOf(this.bytes)
    this.at = 0
    this.count = 0
    return batch
  }

  /** Takes the memory of a batch back, to write another into it: without, every turn makes the collector's work,
   *  and stops of 5 ms (bench/storage). */
  recycle(memory: ArrayBuffer): void {
    if (
      this.spare.length < SPARE_BUFFERS &&
      memory.byteLength >= FIRST_SIZE &&
      memory.byteLength <= SPARE_SIZE
    ) {
      this.spare.push(Buffer.from(memory))
    }
  }

  putMessage(record: MessageRecord): void {
    this.begin(PUT_MESSAGE, 32 + record.frame.length)
    this.number(record.id)
    this.byte(record.version | (record.qos << 3) | (record.retain ? 32 : 0))
    this.number(record.expiresAt)
    this.raw(record.frame)
  }

  deleteMessage(id: number, last = id): void {
    this.begin(DELETE_MESSAGE, 16)
    this.number(id)
    this.number(last)
  }

  putReference(record: ReferenceRecord): void {
    const { identifiers } = record
    this.begin(PUT_REFERENCE, 48 + 4 * identifiers.length)
    this.number(record.id)
    this.number(record.session)
    this.number(record.message)
    this.byte(record.qos | (record.retain ? 4 : 0) | (record.shared ? 8 : 0))
    this.byte(record.state)
    this.uint16(record.packetId)
    this.uint16(identifiers.length)
    for (const identifier of identifiers) this.uint32(identifier)
  }

  updateReference(id: number, state: number, packetId: number): void {
    this.begin(UPDATE_REFERENCE, 16)
    this.number(id)
    this.byte(state)
    this.uint16(packetId)
  }

  deleteReference(id: number, last = id): void {
    this.begin(DELETE_REFERENCE, 16)
    this.number(id)
    this.number(last)
  }

  putSession(record: SessionRecord): void {
    this.begin(PUT_SESSION, 64 + 3 * (record.clientId.length + (record.username?.length ?? 0)))
    this.number(record.id)
    this.string(record.clientId)
    this.number(record.expiryInterval)
    this.number(record.expiresAt)
    this.byte(record.username === undefined ? 0 : 1)
    this.string(record.username ?? '')
  }

  deleteSession(id: number): void {
    this.begin(DELETE_SESSION, 16)
    this.number(id)
  }

  putSubscription(record: SubscriptionRecord): void {
    this.begin(PUT_SUBSCRIPTION, 32 + 3 * record.topicFilter.length)
    this.number(record.session)
    this.string(record.topicFilter)
    this.byte(record.options)
    this.uint32(record.identifier)
  }

  deleteSubscription(session: number, topicFilter: string): void {
    this.begin(DELETE_SUBSCRIPTION, 16 + 3 * topicFilter.length)
    this.number(session)
    this.string(topicFilter)
  }

  putInbound(record: InboundRecord): void {
    this.begin(PUT_INBOUND, 24)
    this.number(record.session)
    this.uint16(record.packetId)
    this.number(record.message)
  }

  deleteInbound(session: number, packetId: number): void {
    this.begin(DELETE_INBOUND, 16)
    this.number(session)
    this.uint16(packetId)
  }

  putRetained(record: RetainedRecord): void {
    if (record.clientId !== undefined) return this.putSourced(record, record.clientId)
    this.begin(PUT_RETAINED, 16 + 3 * record.topic.length)
    this.string(record.topic)
    this.number(record.message)
  }

  private putSourced({ topic, message, username }: RetainedRecord, clientId: string): void {
    this.begin(PUT_SOURCED, 32 + 3 * (topic.length + clientId.length + (username?.length ?? 0)))
    this.string(topic)
    this.number(message)
    this.string(clientId)
    this.byte(username === undefined ? 0 : 1)
    this.string(username ?? '')
  }

  deleteRetained(topic: string): void {
    this.begin(DELETE_RETAINED, 8 + 3 * topic.length)
    this.string(topic)
  }

  putWill(record: WillRecord): void {
    this.begin(PUT_WILL, 32)
    this.number(record.session)
    this.number(record.at)
    this.uint32(record.delay)
    this.number(record.message)
  }

  deleteWill(session: number): void {
    this.begin(DELETE_WILL, 16)
    this.number(session)
  }

  private begin(kind: number, size: number): void {
    this.count++
    const needed = this.at + size + 1
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
      this.bytes.copy(larger, 0, 0, this.at)
      this.bytes = larger
      this.view = viewOf(larger)
    }
    this.bytes[this.at++] = kind
  }

  private byte(value: number): void {
    this.bytes[this.at++] = value
  }

  private uint16(value: number): void {
    this.view.setUint16(this.at, value, true)
    this.at += 2
  }

  private uint32(value: number): void {
    this.view.setUint32(this.at, value, true)
    this.at += 4
  }

  private number(value: number): void {
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  private string(value: string): void {
    const size = this.bytes.write(value, this.at + 4)
    this.view.setUint32(this.at, size, true)
    this.at += 4 + size
  }

  private raw(value: Uint8Array): void {
    this.view.setUint32(this.at, value.length, true)
    this.bytes.set(value, this.at + 4)
    this.at += 4 + value.length
  }
}

/** Applies a batch, record by record. */
export function applyBatch(batch: Uint8Array, sink: RecordSink): void {
  const reader = new BatchReader(batch)
  while (!reader.done) applyRecord(reader, sink)
}

function applyRecord(r: BatchReader, sink: RecordSink): void {
  const kind = r.byte()
  switch (kind) {
    case PUT_MESSAGE:
      return sink.putMessage(readMessage(r))
    case DELETE_MESSAGE:
      return sink.deleteMessage(r.number(), r.number())
    case PUT_REFERENCE:
      return sink.putReference(readReference(r))
    case UPDATE_REFERENCE:
      return sink.updateReference(r.number(), r.byte(), r.uint16())
    case DELETE_REFERENCE:
      return sink.deleteReference(r.number(), r.number())
    case PUT_SESSION:
      return sink.putSession(readSession(r))
    case DELETE_SESSION:
      return sink.deleteSession(r.number())
    case PUT_SUBSCRIPTION:
      return sink.putSubscription({
        session: r.number(),
        topicFilter: r.string(),
        options: r.byte(),
        identifier: r.uint32(),
      })
    case DELETE_SUBSCRIPTION:
      return sink.deleteSubscription(r.number(), r.string())
    case PUT_INBOUND:
      return sink.putInbound({ session: r.number(), packetId: r.uint16(), message: r.number() })
    case DELETE_INBOUND:
      return sink.deleteInbound(r.number(), r.uint16())
    case PUT_RETAINED:
      return sink.putRetained({ topic: r.string(), message: r.number() })
    case PUT_SOURCED:
      return sink.putRetained(readSourced(r))
    case DELETE_RETAINED:
      return sink.deleteRetained(r.string())
    case PUT_WILL:
      return sink.putWill({
        session: r.number(),
        at: r.number(),
        delay: r.uint32(),
        message: r.number(),
      })
    case DELETE_WILL:
      return sink.deleteWill(r.number())
    default:
      throw new Error(`record of unknown kind ${kind}`)
  }
}

function readMessage(r: BatchReader): MessageRecord {
  const id = r.number()
  const flags = r.byte()
  const expiresAt = r.number()
  const frame = r.raw()
  return {
    id,
    frame,
    version: (flags & 7) as 4 | 5,
    qos: ((flags >> 3) & 3) as 0 | 1 | 2,
    retain: (flags & 32) !== 0,
    expiresAt,
  }
}

function readReference(r: BatchReader): ReferenceRecord {
  const id = r.number()
  const session = r.number()
  const message = r.number()
  const flags = r.byte()
  const state = r.byte()
  const packetId = r.uint16()
  const identifiers: number[] = []
  for (let left = r.uint16(); left > 0; left--) identifiers.push(r.uint32())
  return {
    id,
    session,
    message,
    qos: (flags & 3) as 0 | 1 | 2,
    retain: (flags & 4) !== 0,
    state,
    packetId,
    identifiers,
    shared: (flags & 8) !== 0,
  }
}

function readSession(r: BatchReader): SessionRecord {
  const id = r.number()
  const clientId = r.string()
  const expiryInterval = r.number()
  const expiresAt = r.number()
  const named = r.byte() === 1
  const username = r.string()
  return { id, clientId, expiryInterval, expiresAt, username: named ? username : undefined }
}

function readSourced(r: BatchReader): RetainedRecord {
  const topic = r.string()
  const message = r.number()
  const clientId = r.string()
  const named = r.byte() === 1
  const username = r.string()
  return { topic, message, clientId, ...(named && { username }) }
}

class BatchReader {
  private readonly bytes: Buffer
  private readonly view: DataView
  private at = 0

  constructor(batch: Uint8Array) {
    this.bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.length)
    this.view = viewOf(batch)
  }

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  byte(): number {
    return this.bytes[this.at++]!
  }

  uint16(): number {
    this.at += 2
    return this.view.getUint16(this.at - 2, true)
  }

  uint32(): number {
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  number(): number {
    this.at += 8
    return this.view.getFloat64(this.at - 8, true)
  }

  string(): string {
    const size = this.uint32()
    this.at += size
    return this.bytes.toString('utf8', this.at - size, this.at)
  }

  raw(): Uint8Array {
    const size = this.uint32()
    this.at += size
    return this.bytes.subarray(this.at - size, this.at)
  }
}

/** Reads and writes numbers in a third of the time that the methods of Buffer take (bench/storage drain). */
function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length)
}
