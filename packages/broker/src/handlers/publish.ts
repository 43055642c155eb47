import { decodeUtf8, hasWildcard, MalformedPacketError, ProtocolError, type Publish } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import { findExpiry, forwarded, Message } from '../routing/message.ts'
import type { Route } from '../routing/route.ts'
import { hashOf } from '../routing/route-table.ts'
import { sampleOf, TopicEntry, type TopicTable } from '../routing/topic-table.ts'
import { acceptMessage } from './accept.ts'

/** Takes the PUBLISH in the connection's current frame. What is plain is handled by offsets, without decoding:
 *  QoS 0 runs are forwarded as they came, QoS 1 and 2 become a Message that points into the chunk.
 *  @see MQTT 5.0, 3.3 */
export function handlePublish(connection: Connection, first: number): void {
  const { frames, broker } = connection
  const { bytes, bodyStart, end } = frames
  const qos = (first >> 1) & 3
  const topicStart = bodyStart + 2
  let offset = topicStart
  if (topicStart <= end) offset += (bytes[bodyStart]! << 8) | bytes[bodyStart + 1]!
  const topicEnd = offset
  if (qos > 0) offset += 2
  if (connection.wireVersion === 5) offset++
  // Whatever is not plain (malformed, an alias, properties) is decoded, which finds the fault if there is one.
  if (
    offset > end ||
    topicEnd === topicStart ||
    qos === 3 ||
    (first & 0x0e) === 8 ||
    (connection.wireVersion === 5 && bytes[offset - 1] !== 0)
  ) {
    return publishDecoded(connection, first)
  }
  const packetId = qos === 0 ? 0 : (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!
  if (qos > 0 && packetId === 0) return publishDecoded(connection, first)
  let entry = connection.topics.find(bytes, topicStart, topicEnd - topicStart)
  if (entry === undefined) {
    // The table of one with a mount point stays empty: what it calls a topic is not what its frames say.
    if (connection.mount !== undefined) return publishDecoded(connection, first)
    entry = learn(connection, topicStart, topicEnd)
  }
  const { route } = entry
  if (route.generation !== broker.router.generation) broker.router.refresh(route)
  if (entry.rulesGeneration !== broker.permissions.generation) {
    const decided = broker.permissions.decide(connection.session!, entry)
    // The frame stays where it is, and is handled again once it is known.
    if (decided !== undefined) return connection.suspend(decided.then(() => handlePublish(connection, first)))
  }
  const isPlain = broker.plainPublish && end - offset <= broker.limits.payloadSize
  if (first === 0x30 && entry.allowed && isPlain) {
    const count = 1 + frames.extendRun(offset - frames.start)
    connection.publishesReceived += count
    connection.publishBytesReceived += frames.end - frames.start - count * (offset - frames.start)
    if (count > 1) connection.packetsReceived += count - 1
    return forwardRun(connection, route, frames.start, offset, count)
  }
  // A Message points into its chunk, which has to last.
  if (frames.own()) return handlePublish(connection, first)
  connection.publishesReceived++
  connection.publishBytesReceived += end - offset
  const message = new Message(
    route.topic,
    {
      bytes,
      start: frames.start,
      idOffset: qos > 0 ? topicEnd : 0,
      expiryOffset: 0,
      payloadStart: offset,
      end,
    },
    connection.wireVersion,
    qos as 0 | 1 | 2,
    (first & 1) === 1,
    Number.POSITIVE_INFINITY,
    undefined,
    connection.session,
  )
  acceptMessage(connection, message, packetId, entry)
}

/** Forwards `count` QoS 0 frames of one topic, from `start` to the end of the current frame, as one block. */
function forwardRun(
  connection: Connection,
  route: Route,
  start: number,
  payloadStart: number,
  count: number,
): void {
  const { frames, broker } = connection
  const { bytes, end } = frames
  const is5 = connection.wireVersion === 5
  const payloadBytes = end - start - count * (payloadStart - start)
  const only = is5 ? route.only5 : route.only4
  if (only !== undefined) only.sendRun(route.topic, bytes, start, end, count, payloadBytes)
  else forwardToMany(connection, route, start, count, payloadBytes)
  const others = is5 ? route.others5 : route.others4
  if (others.length === 0 && route.groups.length === 0) return
  const size = (end - start) / count
  frames.own()
  for (let i = 0; i < count; i++) {
    const from = frames.start + i * size
    const parts = {
      bytes: frames.bytes,
      start: from,
      idOffset: 0,
      expiryOffset: 0,
      payloadStart: from + payloadStart - start,
      end: from + size,
    }
    const { wireVersion, session } = connection
    const message = new Message(
      route.topic,
      parts,
      wireVersion,
      0,
      false,
      Number.POSITIVE_INFINITY,
      undefined,
      session,
    )
    broker.distributor.distribute(message, others, route.groups)
  }
}

/** Forwards a run as it came to those who take it so, unless it is exactly one. */
function forwardToMany(
  connection: Connection,
  route: Route,
  start: number,
  count: number,
  payloadBytes: number,
): void {
  const { frames, broker } = connection
  const { bytes, end } = frames
  const is5 = connection.wireVersion === 5
  const fan = is5 ? route.fan5 : route.fan4
  if (fan !== undefined) return fan.send(bytes, start, end, count, payloadBytes)
  const direct = is5 ? route.direct5 : route.direct4
  for (const each of direct) each.sendRun(route.topic, bytes, start, end, count, payloadBytes)
  if (route.empty) broker.unheard(connection, route.topic, count)
}

/** Checks a topic that this connection has not published to lately, and remembers what came of it. */
function learn(connection: Connection, start: number, end: number): TopicEntry {
  const { broker, frames } = connection
  if (broker.decidesPublishing) connection.topics.stay()
  const hash = hashOf(frames.bytes, start, end - start)
  const known = broker.router.known(frames.bytes, start, end - start, hash)
  if (known !== undefined) {
    // Where nobody decides, what may be published does not depend on the client.
    if (connection.topics.isRoaming) return (known.anyones ??= new TopicEntry(known.bytes, known, false, -1))
    const entry = new TopicEntry(known.bytes, known, false, -1, sampleOf(frames.bytes, start, end - start))
    connection.topics.add(entry)
    return entry
  }
  const topic = decodeUtf8(frames.bytes, start, end, 'Topic Name', broker.strict)
  if (hasWildcard(topic))
    throw new MalformedPacketError(`PUBLISH: wildcard in ${JSON.stringify(topic)} [MQTT-3.3.2-2]`)
  broker.permissions.checkTopic(topic)
  // What a hook has said is kept from the first time on: asking may be dear.
  const route = broker.decidesPublishing ? broker.router.route(topic) : broker.router.visit(topic, hash)
  const entry = new TopicEntry(route.bytes, route, false, -1, sampleOf(frames.bytes, start, end - start))
  if (route.bytes.length > 0) connection.topics.add(entry)
  return entry
}

function entryFor(connection: Connection, topic: string): TopicEntry {
  const { broker } = connection
  broker.permissions.checkTopic(topic)
  const route = broker.router.route(topic)
  const { bytes } = route
  const entry = new TopicEntry(bytes, route, false, -1, sampleOf(bytes, 0, bytes.length))
  tableOf(connection).add(entry)
  return entry
}

/** The topics of a connection by their whole names. */
function tableOf(connection: Connection): TopicTable {
  return connection.mount === undefined ? connection.topics : connection.mountedTopics
}

function publishDecoded(connection: Connection, first: number): void {
  const { frames, broker } = connection
  const { tracer } = broker
  const received = tracer === undefined ? 0 : tracer.now()
  frames.own()
  const packet = connection.decode(first) as Publish
  connection.publishesReceived++
  connection.publishBytesReceived += packet.payload.length
  const name = resolveTopic(connection, packet)
  const topic = connection.mount === undefined ? name : connection.mount.topic(name)
  const bytes = Buffer.from(topic)
  const entry = tableOf(connection).find(bytes, 0, bytes.length) ?? entryFor(connection, topic)
  if (entry.route.generation !== broker.router.generation) broker.router.refresh(entry.route)
  const message = messageOf(connection, packet, topic, frames.bytes)
  const accept = (): void => {
    acceptMessage(connection, message, packet.packetId, entry)
    // At QoS 2 the message is ours now, and goes on when it is released.
    if (tracer !== undefined && packet.qos < 2) {
      const receivers = entry.allowed ? entry.route.targets.length + entry.route.groups.length : 0
      tracer.routed(topic, packet.properties?.userProperties, received, receivers)
    }
  }
  const isDecided = entry.rulesGeneration === broker.permissions.generation
  const decided = isDecided ? undefined : broker.permissions.decide(connection.session!, entry)
  if (decided === undefined) accept()
  else connection.suspend(decided.then(accept))
}

function resolveTopic(connection: Connection, packet: Publish): string {
  const { properties } = packet
  if (properties?.subscriptionIdentifiers !== undefined) {
    throw new ProtocolError('PUBLISH of a client with Subscription Identifier [MQTT-3.3.4-6]')
  }
  const alias = properties?.topicAlias
  if (alias === undefined) return packet.topic
  if (connection.aliases === undefined)
    throw new ProtocolError(`Topic Alias ${alias}; none are accepted`, 0x94)
  return connection.aliases.resolve(packet.topic, alias)
}

function messageOf(connection: Connection, packet: Publish, topic: string, bytes: Uint8Array): Message {
  const { broker, frames, session, wireVersion, mount } = connection
  const { payload, qos, retain, properties } = packet
  if (properties?.topicAlias !== undefined || wireVersion === 4 || mount !== undefined) {
    return Message.of(topic, payload, qos, retain, properties, session, broker.now())
  }
  const payloadStart = frames.end - payload.length
  // The properties start behind the topic and the identifier; their length takes at most 4 bytes.
  const propertiesAt = frames.bodyStart + 2 + ((bytes[frames.bodyStart]! << 8) | bytes[frames.bodyStart + 1]!)
  let at = propertiesAt + (qos > 0 ? 2 : 0)
  while (bytes[at++]! > 127);
  const expiry = properties?.messageExpiryInterval
  return new Message(
    topic,
    {
      bytes,
      start: frames.start,
      idOffset: qos > 0 ? propertiesAt : 0,
      expiryOffset: expiry === undefined ? 0 : findExpiry(bytes, at, payloadStart),
      payloadStart,
      end: frames.end,
    },
    5,
    qos,
    retain,
    expiry === undefined ? Number.POSITIVE_INFINITY : broker.now() + expiry * 1000,
    forwarded(properties),
    session,
  )
}
