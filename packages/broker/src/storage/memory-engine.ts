import { applyBatch } from './batch.ts'
import type { StorageEngine } from './engine.ts'
import type {
  InboundRecord,
  MessageRecord,
  RecordSink,
  ReferenceRecord,
  RetainedRecord,
  SessionRecord,
  StoredState,
  SubscriptionRecord,
  WillRecord,
} from './records.ts'

/** Keeps records in memory: the measure of what the SQLite engine has to give back, and a store for tests. */
export class MemoryEngine implements StorageEngine, RecordSink {
  private readonly messages = new Map<number, MessageRecord>()
  private readonly references = new Map<number, ReferenceRecord>()
  private readonly sessions = new Map<number, SessionRecord>()
  private readonly subscriptions = new Map<string, SubscriptionRecord>()
  private readonly inbound = new Map<string, InboundRecord>()
  private readonly retained = new Map<string, RetainedRecord>()
  private readonly wills = new Map<number, WillRecord>()

  load(): StoredState {
    return {
      messages: new Map(this.messages),
      references: [...this.references.values()].sort((a, b) => a.id - b.id),
      sessions: [...this.sessions.values()],
      subscriptions: [...this.subscriptions.values()],
      inbound: [...this.inbound.values()],
      retained: [...this.retained.values()],
      wills: [...this.wills.values()],
      damage: [],
    }
  }

  commit(batches: readonly Uint8Array[]): void {
    for (const batch of batches) applyBatch(batch, this)
  }

  maintain(): boolean {
    return false
  }

  close(): void {}

  putMessage(record: MessageRecord): void {
    this.messages.set(record.id, { ...record, frame: record.frame.slice() })
  }

  deleteMessage(id: number, last = id): void {
    for (let each = id; each <= last; each++) this.messages.delete(each)
  }

  putReference(record: ReferenceRecord): void {
    this.references.set(record.id, record)
  }

  updateReference(id: number, state: number, packetId: number): void {
    const known = this.references.get(id)
    if (known !== undefined) this.references.set(id, { ...known, state, packetId })
  }

  deleteReference(id: number, last = id): void {
    for (let each = id; each <= last; each++) this.references.delete(each)
  }

  putSession(record: SessionRecord): void {
    this.sessions.set(record.id, record)
  }

  deleteSession(id: number): void {
    this.sessions.delete(id)
    for (const [key, each] of this.subscriptions) if (each.session === id) this.subscriptions.delete(key)
    for (const [key, each] of this.inbound) if (each.session === id) this.inbound.delete(key)
    this.wills.delete(id)
  }

  putSubscription(record: SubscriptionRecord): void {
    this.subscriptions.set(`${record.session} ${record.topicFilter}`, record)
  }

  deleteSubscription(session: number, topicFilter: string): void {
    this.subscriptions.delete(`${session} ${topicFilter}`)
  }

  putInbound(record: InboundRecord): void {
    this.inbound.set(`${record.session} ${record.packetId}`, record)
  }

  deleteInbound(session: number, packetId: number): void {
    this.inbound.delete(`${session} ${packetId}`)
  }

  putRetained(record: RetainedRecord): void {
    this.retained.set(record.topic, record)
  }

  deleteRetained(topic: string): void {
    this.retained.delete(topic)
  }

  putWill(record: WillRecord): void {
    this.wills.set(record.session, record)
  }

  deleteWill(session: number): void {
    this.wills.delete(session)
  }
}
