import { topicFilterFault, wildcardFault } from '../topics/filters.ts'
import { checkPacketId, checkQoS, withLength } from './checks.ts'
import type { ProtocolVersion, Subscribe, Subscription, Unsubscribe } from './packets.ts'
import { propertiesLength, writeProperties } from './properties.ts'
import { utf8Length } from './utf8.ts'
import type { Writer } from './writer.ts'

export function subscribeLength(packet: Subscribe, version: ProtocolVersion): number {
  checkPacketId(packet.packetId, 'SUBSCRIBE')
  if (packet.subscriptions.length === 0) throw new RangeError('SUBSCRIBE takes at least one subscription')
  let length = 2
  if (version === 5) length += withLength(propertiesLength(packet.properties, 'SUBSCRIBE'))
  for (const subscription of packet.subscriptions) {
    checkSubscription(subscription)
    length += 3 + topicFilterLength(subscription.topicFilter, version)
  }
  return length
}

function checkSubscription(subscription: Subscription): void {
  checkQoS(subscription.qos, 'SUBSCRIBE')
  const handling = subscription.retainHandling ?? 0
  if (handling !== 0 && handling !== 1 && handling !== 2) {
    throw new RangeError(`SUBSCRIBE: retainHandling is ${String(handling)}; it takes 0, 1 or 2`)
  }
  if (subscription.noLocal && subscription.topicFilter.startsWith('$share/')) {
    throw new RangeError('SUBSCRIBE: noLocal on a shared subscription [MQTT-3.8.3-4]')
  }
}

function topicFilterLength(filter: string, version: ProtocolVersion): number {
  const length = utf8Length(filter, 'topicFilter')
  const fault = version === 5 ? topicFilterFault(filter) : wildcardFault(filter)
  if (fault !== undefined) throw new RangeError(fault)
  return length
}

export function writeSubscribe(writer: Writer, packet: Subscribe, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version === 5)
    writeProperties(writer, packet.properties, propertiesLength(packet.properties, 'SUBSCRIBE'))
  for (const subscription of packet.subscriptions) {
    writer.string(subscription.topicFilter)
    writer.byte(version === 5 ? subscriptionOptions(subscription) : subscription.qos)
  }
}

/** The Subscription Options byte.
 *  @see MQTT 5.0, 3.8.3.1 */
export function subscriptionOptions(subscription: Subscription): number {
  return (
    subscription.qos |
    (subscription.noLocal ? 4 : 0) |
    (subscription.retainAsPublished ? 8 : 0) |
    ((subscription.retainHandling ?? 0) << 4)
  )
}

export function unsubscribeLength(packet: Unsubscribe, version: ProtocolVersion): number {
  checkPacketId(packet.packetId, 'UNSUBSCRIBE')
  if (packet.topicFilters.length === 0) throw new RangeError('UNSUBSCRIBE takes at least one topic filter')
  let length = 2
  if (version === 5) length += withLength(propertiesLength(packet.properties, 'UNSUBSCRIBE'))
  for (const filter of packet.topicFilters) length += 2 + topicFilterLength(filter, version)
  return length
}

export function writeUnsubscribe(writer: Writer, packet: Unsubscribe, version: ProtocolVersion): void {
  writer.uint16(packet.packetId)
  if (version === 5) {
    writeProperties(writer, packet.properties, propertiesLength(packet.properties, 'UNSUBSCRIBE'))
  }
  for (const filter of packet.topicFilters) writer.string(filter)
}
