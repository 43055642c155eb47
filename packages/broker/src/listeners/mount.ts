import {
  type Connect,
  hasWildcard,
  MalformedPacketError,
  parseSharedFilter,
  type Subscribe,
  topicFilterFault,
  type Unsubscribe,
} from '@pipit/protocol'

/** The longest Topic Name or Filter, bytes (1.5.4). */
const LONGEST = 65535

/** What a listener puts in front of every topic of its clients, and takes away from what they are sent: they see
 *  what is below it, and nothing else. ACLs, hooks and other listeners' clients see whole topics. */
export class Mount {
  readonly prefix: string

  /** @param prefix as it stands: a slash that is to be between it and a topic belongs to it */
  constructor(prefix: string) {
    this.prefix = prefix
  }

  /** A client's Topic Name as others know it.
   *  @throws MalformedPacketError when it becomes too long */
  topic(name: string): string {
    return checked(this.prefix + name)
  }

  /** A client's Topic Filter as others know it; of a shared one the part behind its share name.
   *  @throws MalformedPacketError when it becomes too long */
  filter(filter: string): string {
    const shared = parseSharedFilter(filter)
    if (shared === undefined) return checked(this.prefix + filter)
    return checked(`$share/${shared.shareName}/${this.prefix}${shared.topicFilter}`)
  }

  /** Says whether a topic has a name for the clients. */
  covers(topic: string): boolean {
    return topic.length > this.prefix.length && topic.startsWith(this.prefix)
  }

  /** A topic as the clients know it. Ask `covers` first. */
  strip(topic: string): string {
    return topic.slice(this.prefix.length)
  }

  connect(packet: Connect): Connect {
    const { will } = packet
    return will === undefined ? packet : { ...packet, will: { ...will, topic: this.topic(will.topic) } }
  }

  subscribe(packet: Subscribe): Subscribe {
    const subscriptions = packet.subscriptions.map((each) => ({
      ...each,
      topicFilter: this.filter(each.topicFilter),
    }))
    return { ...packet, subscriptions }
  }

  unsubscribe(packet: Unsubscribe): Unsubscribe {
    return { ...packet, topicFilters: packet.topicFilters.map((filter) => this.filter(filter)) }
  }

  /** Says whether a filter no longer is one with the prefix before it: `#` behind a prefix without a slash. */
  breaks(filter: string): boolean {
    return topicFilterFault(filter) !== undefined
  }
}

/** Why a text is no mount point; undefined: it is one. */
export function mountPointFault(prefix: string): string | undefined {
  const takes = 'it takes the beginning of a topic, such as house/'
  if (hasWildcard(prefix) || prefix.includes('\0')) return `has a wildcard or a zero in it; ${takes}`
  if (/^\$share(\/|$)/.test(prefix)) return `is no topic: $share/ names shared subscriptions; ${takes}`
  return Buffer.byteLength(prefix) < LONGEST ? undefined : `is too long; ${takes}`
}

/** @throws RangeError saying why it is none */
export function checkMountPoint(prefix: string | undefined): void {
  const fault = prefix === undefined ? undefined : mountPointFault(prefix)
  if (fault !== undefined) throw new RangeError(`mountPoint is ${JSON.stringify(prefix)}; it ${fault}`)
}

function checked(topic: string): string {
  if (topic.length * 3 <= LONGEST || Buffer.byteLength(topic) <= LONGEST) return topic
  throw new MalformedPacketError('a topic that is too long behind its mount point')
}
