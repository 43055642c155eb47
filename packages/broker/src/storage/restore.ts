import { decodeBody, decodeUtf8, matches, type Publish, Reader } from '@pipit/protocol'
import type { Retained } from '../retained/retained.ts'
import { Delivery } from '../routing/delivery.ts'
import { Message, StoredMessage } from '../routing/message.ts'
import type { Router } from '../routing/router.ts'
import type { SharedGroup } from '../routing/shared.ts'
import type { SessionRegistry } from '../sessions/registry.ts'
import { NEVER_EXPIRES, Session, type SessionHost } from '../sessions/session.ts'
import { SubscriptionState } from '../sessions/subscription.ts'
import type { Wills } from '../sessions/wills.ts'
import { Numbered } from './numbered.ts'
import type { MessageRecord, ReferenceRecord, StoredState } from './records.ts'

/** The parts of a broker that stored state is put back into. */
export interface Restorable {
  readonly sessions: SessionRegistry
  readonly router: Router
  readonly retained: Retained
  readonly wills: Wills
  readonly host: SessionHost
  readonly now: number
  /** Called when storage works again after it failed. */
  storageWorks(): void
}

/** Identifiers that a journal goes on with. */
export interface NextIds {
  message: number
  reference: number
  session: number
}

/** Records that nothing needs any more, as of sessions that ended with their connection when the broker was killed. */
export interface Leftovers {
  readonly sessions: number[]
  readonly references: number[]
  readonly messages: number[]
}

/** Puts sessions, queues, retained messages and wills back as they were.
 *  @returns the identifiers not used yet, and what is to be deleted */
export function restore(state: StoredState, broker: Restorable): { next: NextIds; leftovers: Leftovers } {
  const next: NextIds = { message: 1, reference: 1, session: 1 }
  const leftovers: Leftovers = { sessions: [], references: [], messages: [] }
  const message = (id: number): Message | undefined => {
    const record = state.messages.get(id)
    if (record === undefined) return undefined
    record.made ??= messageOf(record)
    return record.made as Message
  }
  const sessions = restoreSessions(state, broker, next, leftovers)
  for (const record of state.subscriptions) {
    const session = sessions.get(record.session)
    if (session === undefined) continue
    const { topicFilter, options, identifier } = record
    const wanted = {
      topicFilter,
      qos: (options & 3) as 0 | 1 | 2,
      noLocal: (options & 4) !== 0,
      retainAsPublished: (options & 8) !== 0,
    }
    const subscription = new SubscriptionState(
      session,
      wanted,
      identifier,
      broker.router.groupFor(topicFilter),
    )
    session.subscriptions ??= new Map()
    session.subscriptions.set(topicFilter, subscription)
    broker.router.add(subscription)
  }
  for (const record of state.references) {
    if (record.id >= next.reference) next.reference = record.id + 1
    const session = sessions.get(record.session)
    if (session === undefined) leftovers.references.push(record.id)
    else restoreReference(record, session, message(record.message))
  }
  for (const { session: number, packetId, message: id } of state.inbound) {
    const session = sessions.get(number)
    session?.inbound.restore(packetId, id === 0 ? undefined : from(session, held(message(id))))
  }
  for (const { message: id, clientId, username } of state.retained) {
    const kept = held(message(id))
    const source = clientId === undefined ? undefined : { clientId, username, rights: undefined }
    if (kept !== undefined) broker.retained.restore(kept, source)
  }
  for (const { session, at, delay, message: id } of state.wills) {
    const known = sessions.get(session)
    const owner = known ?? endedSession(state, session, broker)
    const will = from(owner, held(message(id)))
    if (will === undefined) continue
    if (known !== undefined) broker.wills.restore(owner, will, at, delay, broker.now)
    else broker.wills.restore(owner, will, broker.now, 0, broker.now)
  }
  for (const { id, made } of state.messages.values()) {
    if (id >= next.message) next.message = id + 1
    if (made === undefined || (made as Message).stored?.holds === 0) leftovers.messages.push(id)
  }
  return { next, leftovers }
}

function restoreSessions(
  state: StoredState,
  broker: Restorable,
  next: NextIds,
  leftovers: Leftovers,
): Numbered<Session> {
  const sessions = new Numbered<Session>()
  // The newest first: one that ended while hooks were asked about its will may have been followed by another.
  for (let i = state.sessions.length - 1; i >= 0; i--) {
    const record = state.sessions[i]!
    if (record.id >= next.session) next.session = record.id + 1
    if (record.expiryInterval === 0 || broker.sessions.get(record.clientId) !== undefined) {
      leftovers.sessions.push(record.id)
      continue
    }
    const session = new Session(record.clientId, record.expiryInterval, broker.host)
    session.storeId = record.id
    session.username = record.username
    session.expiresAt = record.expiresAt
    // It was connected when the broker ended: its time runs from now.
    if (record.expiresAt === Number.POSITIVE_INFINITY && record.expiryInterval !== NEVER_EXPIRES) {
      session.expiresAt = broker.now + record.expiryInterval * 1000
    }
    sessions.set(record.id, session)
    broker.sessions.restore(session)
  }
  return sessions
}

/** The owner of a will whose session ended with the broker: the will is due. */
function endedSession(state: StoredState, id: number, { host }: Restorable): Session {
  const record = state.sessions.find((each) => each.id === id)
  const session = new Session(record?.clientId ?? '', 0, host)
  session.username = record?.username
  return session
}

function restoreReference(record: ReferenceRecord, session: Session, message: Message | undefined): void {
  if (message === undefined) return
  const identifiers = record.identifiers.length === 0 ? undefined : record.identifiers
  const group = record.shared ? groupOf(session, message.topic) : undefined
  const delivery = new Delivery(message, record.qos, record.retain, identifiers, group)
  delivery.reference = record.id
  message.stored!.holds++
  session.restore(delivery, record.state, record.packetId)
}

/** The shared subscription through which a session got a message: one of its own that matches. */
function groupOf(session: Session, topic: string): SharedGroup | undefined {
  for (const { group } of session.subscriptions?.values() ?? []) {
    if (group !== undefined && matches(group.topicFilter, topic)) return group
  }
  return undefined
}

function held(message: Message | undefined): Message | undefined {
  if (message !== undefined) message.stored!.holds++
  return message
}

/** Whose message it is: of those on their way to others it is not known any more. */
function from(session: Session, message: Message | undefined): Message | undefined {
  if (message !== undefined) message.publisher = session
  return message
}

const reader = new Reader(false)

/** Reads a stored frame back: one without properties by its offsets alone, start-up's 0.8 s of a million
 *  (bench/storage). */
function messageOf(record: MessageRecord): Message {
  const { frame, version, qos, retain, expiresAt } = record
  let bodyStart = 1
  while (frame[bodyStart++]! > 127);
  const topicEnd = bodyStart + 2 + ((frame[bodyStart]! << 8) | frame[bodyStart + 1]!)
  const withId = (frame[0]! & 6) !== 0
  const propertiesAt = topicEnd + (withId ? 2 : 0)
  if (version === 5 && frame[propertiesAt] !== 0) return decoded(record)
  const parts = {
    bytes: frame,
    start: 0,
    idOffset: withId ? topicEnd : 0,
    expiryOffset: 0,
    payloadStart: version === 5 ? propertiesAt + 1 : propertiesAt,
    end: frame.length,
  }
  const topic = decodeUtf8(frame, bodyStart + 2, topicEnd, 'Topic Name', false)
  const message = new Message(topic, parts, version, qos, retain, expiresAt, undefined, undefined)
  message.stored = new StoredMessage()
  message.stored.id = record.id
  return message
}

function decoded(record: MessageRecord): Message {
  const { frame, version, qos, retain, expiresAt } = record
  reader.reset(frame, 1, frame.length)
  reader.variableByteInteger('Remaining Length')
  // RETAIN and DUP of the first byte are the receiver's matter; QoS tells whether there is an identifier.
  const first = 0x30 | (frame[0]! & 6)
  const packet = decodeBody(reader, first, version) as Publish
  const message = Message.fromFrame(frame, packet, version, qos, retain, expiresAt)
  message.stored = new StoredMessage()
  message.stored.id = record.id
  return message
}
