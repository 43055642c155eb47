import {
  checkTopicFilter,
  parseSharedFilter,
  type ReasonCode,
  type ReasonProperties,
  type Subscribe,
  type SubscribeProperties,
  type Subscription,
  type UnsubscribeProperties,
} from '@pipit/protocol'
import { describeReason } from './describe-reason.ts'
import { RequestRefusedError } from './errors.ts'
import type { Link } from './link.ts'
import { checkQoS } from './options.ts'
import { Request } from './requests.ts'
import type { SinkOptions } from './sink.ts'
import type { FilterOptions } from './subscriptions.ts'
import type { WaitOptions } from './watch.ts'

/** One filter, alone or with options of its own. */
export type SubscriptionRequest = string | ({ readonly filter: string } & FilterOptions)

export interface SubscribeOptions extends FilterOptions, SinkOptions, WaitOptions {
  /** User Properties of SUBSCRIBE (MQTT 5.0). The Subscription Identifier is the client's own business. */
  readonly properties?: SubscribeProperties
}

export interface UnsubscribeOptions extends WaitOptions {
  /** User Properties of UNSUBSCRIBE (MQTT 5.0). */
  readonly properties?: UnsubscribeProperties
}

export function subscriptionsOf(
  filters: string | readonly SubscriptionRequest[],
  options: SubscribeOptions,
): readonly Subscription[] {
  const list = typeof filters === 'string' ? [filters] : filters
  if (list.length === 0) throw new RangeError('no filter was given')
  return list.map((one) => {
    const own = typeof one === 'string' ? { filter: one, ...options } : { ...options, ...one }
    checkTopicFilter(own.filter)
    if (own.noLocal && parseSharedFilter(own.filter) !== undefined) {
      throw new RangeError(`${own.filter}: noLocal; a shared subscription takes none`)
    }
    const { retainHandling = 0 } = own
    if (![0, 1, 2].includes(retainHandling)) {
      throw new RangeError(`retainHandling is ${retainHandling}; it takes 0, 1 or 2`)
    }
    return {
      topicFilter: own.filter,
      qos: checkQoS(own.qos ?? 0, 'qos'),
      noLocal: own.noLocal ?? false,
      retainAsPublished: own.retainAsPublished ?? false,
      retainHandling,
    }
  })
}

export function subscribePacket(
  packetId: number,
  subscriptions: readonly Subscription[],
  identifier: number,
  link: Link,
  properties?: SubscribeProperties,
): Subscribe {
  const { server } = link
  for (const { topicFilter } of subscriptions) {
    const shared = parseSharedFilter(topicFilter)
    if (shared !== undefined && server.sharedSubscriptionAvailable === 0) {
      throw new RequestRefusedError(`subscribe to ${topicFilter}: ${describeReason(0x9e)}`, 0x9e)
    }
    if (server.wildcardSubscriptionAvailable === 0 && /[#+]/.test(topicFilter)) {
      throw new RequestRefusedError(`subscribe to ${topicFilter}: ${describeReason(0xa2)}`, 0xa2)
    }
  }
  const subscriptionIdentifiers = identifier === 0 ? undefined : [identifier]
  return {
    type: 'SUBSCRIBE',
    packetId,
    subscriptions,
    properties: link.version === 5 ? { ...properties, subscriptionIdentifiers } : undefined,
  }
}

export function unsubscribeRequest(
  topicFilters: readonly string[],
  properties?: UnsubscribeProperties,
): Request {
  return new Request('UNSUBSCRIBE', topicFilters.length, (_link, packetId) => ({
    type: 'UNSUBSCRIBE',
    packetId,
    topicFilters,
    properties,
  }))
}

/** @param what was asked for */
export function refused(
  code: ReasonCode,
  answer: { readonly properties?: ReasonProperties },
  what: string,
): RequestRefusedError {
  const reason = describeReason(code, answer.properties?.reasonString)
  return new RequestRefusedError(`${what}: ${reason}`, code, answer.properties)
}
