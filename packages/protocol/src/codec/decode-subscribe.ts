import { MalformedPacketError, ProtocolError } from '../errors.ts'
import { parseSharedFilter, sharedFilterFault, wildcardFault } from '../topics/filters.ts'
import { readPacketId } from './fields.ts'
import { NO_PROPERTIES } from './no-properties.ts'
import type { ProtocolVersion, QoS, RetainHandling, Subscribe, Subscription, Unsubscribe } from './packets.ts'
import { readProperties } from './properties.ts'
import type { Reader } from './reader.ts'

export function decodeSubscribe(reader: Reader, version: ProtocolVersion): Subscribe {
  const packetId = readPacketId(reader, 'SUBSCRIBE')
  const properties = version === 5 ? readProperties(reader, 'SUBSCRIBE') : NO_PROPERTIES
  if (reader.remaining === 0) throw new ProtocolError('SUBSCRIBE: no Topic Filter [MQTT-3.8.3-2]')
  const subscriptions: Subscription[] = []
  while (reader.remaining > 0) subscriptions.push(readSubscription(reader, version))
  return { type: 'SUBSCRIBE', packetId, subscriptions, properties }
}

function readSubscription(reader: Reader, version: ProtocolVersion): Subscription {
  const topicFilter = readTopicFilter(reader, version)
  const options = reader.byte('Subscription Options')
  const qos = options & 3
  if (options & (version === 5 ? 0xc0 : 0xfc)) {
    throw new MalformedPacketError('SUBSCRIBE: reserved bits of the Subscription Options are set')
  }
  if (qos === 3) {
    if (version === 5) throw new ProtocolError('SUBSCRIBE: Maximum QoS 3')
    throw new MalformedPacketError('SUBSCRIBE: QoS 3 [MQTT-3-8.3-4]')
  }
  const retainHandling = (options >> 4) & 3
  if (retainHandling === 3) throw new ProtocolError('SUBSCRIBE: Retain Handling 3')
  const noLocal = (options & 4) !== 0
  if (noLocal && parseSharedFilter(topicFilter) !== undefined) {
    throw new ProtocolError('SUBSCRIBE: No Local on a Shared Subscription [MQTT-3.8.3-4]')
  }
  return {
    topicFilter,
    qos: qos as QoS,
    noLocal,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as RetainHandling,
  }
}

export function decodeUnsubscribe(reader: Reader, version: ProtocolVersion): Unsubscribe {
  const packetId = readPacketId(reader, 'UNSUBSCRIBE')
  const properties = version === 5 ? readProperties(reader, 'UNSUBSCRIBE') : NO_PROPERTIES
  if (reader.remaining === 0) throw new ProtocolError('UNSUBSCRIBE: no Topic Filter [MQTT-3.10.3-2]')
  const topicFilters: string[] = []
  while (reader.remaining > 0) topicFilters.push(readTopicFilter(reader, version))
  return { type: 'UNSUBSCRIBE', packetId, topicFilters, properties }
}

function readTopicFilter(reader: Reader, version: ProtocolVersion): string {
  const topicFilter = reader.string('Topic Filter')
  const fault = wildcardFault(topicFilter)
  if (fault !== undefined) throw new MalformedPacketError(fault)
  // To 3.x a filter that begins with $share is one like any other.
  const sharedFault = version === 5 ? sharedFilterFault(topicFilter) : undefined
  if (sharedFault !== undefined) throw new ProtocolError(`${sharedFault} [MQTT-4.8.2-2]`)
  return topicFilter
}
