import { matches, type QoS } from '@pipit/protocol'
import type { LinkTopic } from './options.ts'

/** A filter to subscribe to at one end. */
export interface EndFilter {
  readonly filter: string
  readonly qos: QoS
}

/** What is carried which way, and what it is called at the other end. */
export class TopicMap {
  /** What is taken here and carried out. */
  readonly local: readonly EndFilter[]
  /** What is taken there and carried in. */
  readonly remote: readonly EndFilter[]
  /** What is only carried out, as it is called there. */
  readonly outOnly: readonly string[]
  private readonly out: readonly Way[]
  private readonly in: readonly Way[]

  constructor(topics: readonly LinkTopic[]) {
    const ways = topics.map(wayOf)
    const goes = (direction: 'out' | 'in'): Way[] =>
      ways.filter((way) => way.direction === direction || way.direction === 'both')
    this.out = goes('out')
    this.in = goes('in').map((way) => ({ ...way, from: way.to, to: way.from }))
    this.local = distinct(this.out)
    this.remote = distinct(this.in)
    const subscribed = new Set(this.remote.map(({ filter }) => filter))
    const others = this.out.map(({ to, pattern }) => to + pattern)
    this.outOnly = [...new Set(others)].filter((filter) => !subscribed.has(filter))
  }

  /** What a topic of here is called there; undefined: it is not carried. */
  outgoing(topic: string): string | undefined {
    return remapped(this.out, topic)
  }

  /** What a topic of there is called here; undefined: it is not carried. */
  incoming(topic: string): string | undefined {
    return remapped(this.in, topic)
  }
}

interface Way {
  readonly direction: 'out' | 'in' | 'both'
  readonly qos: QoS
  readonly pattern: string
  /** The prefix where it comes from, and where it goes. */
  readonly from: string
  readonly to: string
}

function wayOf({
  pattern = '',
  direction = 'out',
  qos = 0,
  localPrefix = '',
  remotePrefix = '',
}: LinkTopic): Way {
  return { direction, qos, pattern, from: localPrefix, to: remotePrefix }
}

/** The first that matches counts. */
function remapped(ways: readonly Way[], topic: string): string | undefined {
  const way = ways.find(({ from, pattern }) => matches(from + pattern, topic))
  return way === undefined ? undefined : way.to + topic.slice(way.from.length)
}

/** Of one filter that stands twice the higher QoS. */
function distinct(ways: readonly Way[]): EndFilter[] {
  const found = new Map<string, QoS>()
  for (const { from, pattern, qos } of ways) {
    const filter = from + pattern
    found.set(filter, Math.max(qos, found.get(filter) ?? 0) as QoS)
  }
  return [...found].map(([filter, qos]) => ({ filter, qos }))
}
