import { isUtf8 } from 'node:buffer'
import { MqttError, ProtocolError, type ReasonCode } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { PublishVerdict } from '../hooks.ts'
import type { DropReason } from '../metrics/ledger.ts'
import type { Message } from '../routing/message.ts'
import { TopicEntry } from '../routing/topic-table.ts'
import type { Session } from '../sessions/session.ts'

/** Takes an application message from a client, by the rules of its QoS.
 *  @throws ProtocolError with the code of the feature that the broker does not offer */
export function acceptMessage(
  connection: Connection,
  message: Message,
  packetId: number,
  entry: TopicEntry,
): void {
  const { broker } = connection
  if (message.qos > connection.maximumQoS)
    throw new ProtocolError(`QoS ${message.qos} is not supported`, 0x9b)
  if (message.retain && broker.options.retainAvailable === false) {
    throw new ProtocolError('retained messages are not supported', 0x9a)
  }
  // A copy of a QoS 2 message that was taken is not asked about again: a refusal would let its sender publish it
  // anew while the first one waits here for its PUBREL.
  if (message.qos === 2 && connection.session!.inbound.has(packetId)) {
    return receive(connection, connection.session!, message, packetId, entry)
  }
  const refusal = refusalOf(connection, message, entry)
  if (refusal !== undefined) return refuse(connection, message, packetId, refusal)
  if (broker.plainPublish) return take(connection, message, packetId, entry)
  const work = broker.hooks.publish(connection.hookClient, message, (verdict) =>
    obey(connection, message, packetId, entry, verdict),
  )
  if (work !== undefined) connection.suspend(work)
}

/** Does with a message what the hook said. */
function obey(
  connection: Connection,
  message: Message,
  packetId: number,
  entry: TopicEntry,
  verdict: PublishVerdict,
): void {
  const { broker } = connection
  // The client has not been told that it is ours.
  if (connection.closed && message.qos > 0) return
  if (verdict === undefined) return take(connection, message, packetId, entry)
  if (verdict === 'drop') return refuse(connection, message, packetId, 'refused by hook', 0)
  if ('reasonCode' in verdict) {
    return refuse(connection, message, packetId, 'refused by hook', verdict.reasonCode)
  }
  const changed = broker.changedByHook(message, verdict)
  if (changed === undefined) return refuse(connection, message, packetId, 'refused by hook', 0x80)
  const its = new TopicEntry(NO_BYTES, broker.router.route(changed.topic), true, entry.rulesGeneration)
  const refusal = refusalOf(connection, changed, its)
  if (refusal !== undefined) return refuse(connection, changed, packetId, refusal)
  take(connection, changed, packetId, its)
}

const NO_BYTES = new Uint8Array(0)

/** Takes a message that nothing speaks against. */
function take(connection: Connection, message: Message, packetId: number, entry: TopicEntry): void {
  const { broker } = connection
  if (message.qos === 2) return receive(connection, connection.session!, message, packetId, entry)
  if (message.qos === 0) {
    if (!broker.distributor.release(message, entry.route)) broker.unheard(connection, message.topic, 1)
    return
  }
  // Clearing what was cleared a moment ago records nothing, and that moment may not be safe yet.
  const before = message.retain ? undefined : broker.journal?.records
  const code = broker.distributor.release(message, entry.route) ? 0 : 0x10
  if (code === 0x10) broker.unheard(connection, message.topic, 1)
  if (entry.route.durability === 'always') broker.acknowledge(connection, 0x40, packetId, code, before, true)
  else connection.acknowledge(0x40, packetId, code)
}

/** Takes ownership of a QoS 2 message: it is published when it is released. */
function receive(
  connection: Connection,
  session: Session,
  message: Message,
  packetId: number,
  entry: TopicEntry,
): void {
  const { broker } = connection
  const { journal } = broker
  const before = journal?.records
  const kept = journal === undefined ? message : message.compact()
  const code = entry.route.empty ? 0x10 : 0
  const always = entry.route.durability === 'always'
  if (session.inbound.publishQoS2(packetId, kept)) {
    journal?.received(session, packetId, kept)
    return broker.acknowledge(connection, 0x50, packetId, code, before, always)
  }
  // A copy may come while the first is not safe yet: its PUBREC waits as well.
  const first = session.inbound.message(packetId)
  if (journal === undefined || first === undefined || journal.isSafe(first)) {
    connection.acknowledge(0x50, packetId, code)
  } else journal.acknowledge(connection, 0x50, packetId, code, always)
}

type Refusal = Extract<
  DropReason,
  | 'not authorised'
  | 'refused by hook'
  | 'storage failing'
  | 'queue full'
  | 'retained full'
  | 'memory full'
  | 'payload format'
  | 'payload too large'
>

const REFUSAL_CODES: Readonly<Record<Refusal, ReasonCode>> = {
  'not authorised': 0x87,
  'refused by hook': 0x87,
  'storage failing': 0x97,
  'queue full': 0x97,
  'retained full': 0x97,
  'memory full': 0x97,
  'payload format': 0x99,
  'payload too large': 0x83,
}

function refusalOf(connection: Connection, message: Message, entry: TopicEntry): Refusal | undefined {
  const { broker } = connection
  if (!entry.allowed) return 'not authorised'
  if (message.payload.length > broker.limits.payloadSize) return 'payload too large'
  if (broker.journal?.failing !== undefined && needsDisk(connection, message, entry)) {
    return 'storage failing'
  }
  // What clears a topic gives memory back.
  if (broker.limits.memory > 0 && message.payloadLength > 0 && broker.isBeyondMemory(message.size))
    return 'memory full'
  if (message.retain && !broker.retained.hasRoom(message)) return 'retained full'
  if (broker.options.checkPayloadFormat === true && message.properties?.payloadFormatIndicator === 1) {
    if (!isUtf8(message.payload)) return 'payload format'
  }
  if (broker.overflowPolicy === 'refuse' && message.qos > 0) {
    const full = entry.route.targets.some((target) => target.qos > 0 && target.session.full(message.size))
    if (full) return 'queue full'
  }
  return undefined
}

/** QoS 0 never does: what it retains is kept in memory until the disk is back. */
function needsDisk(connection: Connection, message: Message, entry: TopicEntry): boolean {
  if (message.qos === 0) return false
  if (message.qos === 2 && connection.session!.storeId !== 0) return true
  return (message.retain && entry.route.durability !== 'off') || entry.route.needsDisk(message.qos)
}

/** Refuses a message: 5.0 is told so in the acknowledgement. 3.x has no refusal: where the client may not publish
 *  it gets an ordinary acknowledgement [MQTT-3.3.5-2], and what cannot be kept now is not acknowledged. */
function refuse(
  connection: Connection,
  message: Message,
  packetId: number,
  reason: Refusal,
  code: ReasonCode = REFUSAL_CODES[reason],
): void {
  connection.broker.dropped(connection.clientId, message.topic, reason)
  if (reason === 'memory full') return connection.disconnect(0x97, 'the broker holds as much as it may')
  if (message.qos === 0) {
    if (reason === 'payload format')
      throw new MqttError('PAYLOAD_FORMAT', 'the payload is not UTF-8', { reasonCode: code })
    return
  }
  const acknowledgement = message.qos === 1 ? 0x40 : 0x50
  if (connection.protocolVersion === 5 && code >= 0x80) {
    return connection.acknowledge(acknowledgement, packetId, code)
  }
  if (reason === 'storage failing') connection.broker.unanswered.add(connection)
  if (code !== 0x87 && reason !== 'refused by hook') return
  if (message.qos === 2) connection.session!.inbound.publishQoS2(packetId, undefined)
  connection.acknowledge(acknowledgement, packetId, 0)
}
