import type { PublishProperties } from '@pipit/protocol'

/** The User Property that each link adds to what it carries, with its own name: what comes around in a circle of
 *  links is recognised where it has been before. MQTT 3 carries no properties: there No Local, or the bridge's
 *  bit, protects from the shortest circle alone. */
export const HOP = 'pipit-hop'

/** No chain of brokers is longer than this. */
const MOST_HOPS = 32

/** The properties to carry a message on with; undefined when it has been carried by this link before, or too far.
 *  What belongs to one connection, its aliases and identifiers, is left behind. */
export function carried(properties: PublishProperties, link: string): PublishProperties | undefined {
  const {
    topicAlias: _alias,
    subscriptionIdentifiers: _identifiers,
    userProperties = [],
    ...rest
  } = properties
  const hops = userProperties.filter(([name]) => name === HOP)
  if (hops.length >= MOST_HOPS || hops.some(([, by]) => by === link)) return undefined
  return { ...rest, userProperties: [...userProperties, [HOP, link]] }
}
