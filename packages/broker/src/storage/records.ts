/** What happens to stored state, one record each. A batch is a run of records; it is applied whole or not at all. */
export const PUT_MESSAGE = 1
export const DELETE_MESSAGE = 2
export const PUT_REFERENCE = 3
export const UPDATE_REFERENCE = 4
export const DELETE_REFERENCE = 5
export const PUT_SESSION = 6
export const DELETE_SESSION = 7
export const PUT_SUBSCRIPTION = 8
export const DELETE_SUBSCRIPTION = 9
export const PUT_INBOUND = 10
export const DELETE_INBOUND = 11
export const PUT_RETAINED = 12
export const DELETE_RETAINED = 13
export const PUT_WILL = 14
export const DELETE_WILL = 15
export const PUT_SOURCED = 16

/** A message, stored once however many sessions wait for it. */
export interface MessageRecord {
  readonly id: number
  /** A PUBLISH frame, laid out for `version`. */
  readonly frame: Uint8Array
  readonly version: 4 | 5
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  /** Milliseconds since the epoch; Infinity: never. */
  readonly expiresAt: number
  /** Room for what a starting broker makes of it: a second table of a million costs 0.3 s (bench/storage). */
  made?: unknown
}

/** That a session waits for a message, or has it in flight. Identifiers grow: their order is the order of delivery. */
export interface ReferenceRecord {
  readonly id: number
  readonly session: number
  readonly message: number
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  /** 0: queued; else as in protocol's Outbound: awaiting PUBACK, PUBREC or PUBCOMP. */
  readonly state: number
  /** Packet Identifier; 0 while queued. */
  readonly packetId: number
  readonly identifiers: readonly number[]
  /** A shared subscription chose this session: when the session ends, another member gets the message. */
  readonly shared: boolean
}

export interface SessionRecord {
  readonly id: number
  readonly clientId: string
  readonly expiryInterval: number
  /** Milliseconds since the epoch; Infinity while connected or when it never ends. */
  readonly expiresAt: number
  readonly username: string | undefined
}

export interface SubscriptionRecord {
  readonly session: number
  readonly topicFilter: string
  /** The Subscription Options byte. */
  readonly options: number
  /** Subscription Identifier; 0: none. */
  readonly identifier: number
}

/** A QoS 2 message received and not released. */
export interface InboundRecord {
  readonly session: number
  readonly packetId: number
  /** 0: nothing is to be published at its PUBREL. */
  readonly message: number
}

export interface RetainedRecord {
  readonly topic: string
  readonly message: number
  /** Of the client that published it; absent: nobody asks. */
  readonly clientId?: string
  readonly username?: string
}

/** The will of a client that is connected, or was and whose delay is running. */
export interface WillRecord {
  readonly session: number
  /** When it is due, milliseconds since the epoch; Infinity: the client is connected. */
  readonly at: number
  /** Will Delay Interval, seconds. */
  readonly delay: number
  readonly message: number
}

/** Messages by their numbers. */
export interface MessageTable {
  readonly size: number
  get(id: number): MessageRecord | undefined
  has(id: number): boolean
  values(): Iterable<MessageRecord>
}

/** All that a data folder holds. */
export interface StoredState {
  readonly messages: MessageTable
  /** In the order of their identifiers. */
  readonly references: ReferenceRecord[]
  readonly sessions: SessionRecord[]
  readonly subscriptions: SubscriptionRecord[]
  readonly inbound: InboundRecord[]
  readonly retained: RetainedRecord[]
  readonly wills: WillRecord[]
  /** What was found damaged and left out, for people. */
  readonly damage: readonly string[]
}

/** Applies records: the two engines, and whatever copies a store. */
export interface RecordSink {
  putMessage(record: MessageRecord): void
  /** Deletes a message, or all from `id` to `last`. */
  deleteMessage(id: number, last?: number): void
  putReference(record: ReferenceRecord): void
  updateReference(id: number, state: number, packetId: number): void
  /** Deletes a reference, or all from `id` to `last`. */
  deleteReference(id: number, last?: number): void
  putSession(record: SessionRecord): void
  deleteSession(id: number): void
  putSubscription(record: SubscriptionRecord): void
  deleteSubscription(session: number, topicFilter: string): void
  putInbound(record: InboundRecord): void
  deleteInbound(session: number, packetId: number): void
  putRetained(record: RetainedRecord): void
  deleteRetained(topic: string): void
  putWill(record: WillRecord): void
  deleteWill(session: number): void
}
