import { MalformedPacketError, type ReasonCode, type Subscription } from '@pipit/protocol'
import { type HookClient, type HookRunner, isPromise } from '../hooks.ts'
import type { Limits } from '../options.ts'
import type { TopicEntry } from '../routing/topic-table.ts'
import type { Session } from '../sessions/session.ts'

/** Who may publish, subscribe and receive what. Decisions on publishing are remembered by connection and topic
 *  until the rules change. */
export class Permissions {
  /** Grows when decisions may have changed. */
  generation = 0
  private readonly limits: Limits
  private readonly hooks: HookRunner

  constructor(limits: Limits, hooks: HookRunner) {
    this.limits = limits
    this.hooks = hooks
  }

  /** Forgets what was decided: the rules have changed. */
  changed(): void {
    this.generation++
  }

  /** @throws MalformedPacketError for a topic of more levels than are allowed */
  checkTopic(topic: string): void {
    const { topicLevels } = this.limits
    if (topic.length >= topicLevels && levels(topic) > topicLevels) {
      throw new MalformedPacketError(`a topic of more than ${this.limits.topicLevels} levels`)
    }
  }

  /** Decides whether a client may publish to the topic of an entry; the promise, if any, says when it has. */
  decide(session: Session, entry: TopicEntry): Promise<void> | undefined {
    const { generation } = this
    const answer = this.mayPublish(session, entry.route.topic)
    const decided = (allowed: boolean): void => {
      entry.allowed = allowed
      entry.rulesGeneration = generation
    }
    if (isPromise(answer)) return answer.then(decided)
    decided(answer)
    return undefined
  }

  mayPublish(session: Session, topic: string): boolean | Promise<boolean> {
    // $SYS is the broker's own; $share names no topic.
    if (topic.startsWith('$SYS/') || topic.startsWith('$share/')) return false
    return this.hooks.authorize(session, 'publish', topic)
  }

  mayReceive(session: Session, topic: string): boolean {
    return session.connection?.isLocal === true || this.hooks.authorizeReceiving(session, topic)
  }

  /** The QoS that may be granted, or the code of a refusal. */
  maySubscribe(client: HookClient, wanted: Subscription): ReasonCode | Promise<ReasonCode> {
    return this.hooks.subscribe(client, wanted)
  }

  /** The code with which the limits refuse a subscription; 0: they do not.
   *  @throws MalformedPacketError for a filter of more levels than are allowed */
  refusesSubscription(session: Session, wanted: Subscription): ReasonCode {
    const { topicFilter } = wanted
    this.checkTopic(topicFilter)
    const count = session.subscriptions?.size ?? 0
    if (count >= this.limits.subscriptionsPerClient && !session.subscriptions!.has(topicFilter)) return 0x97
    return 0
  }
}

function levels(topic: string): number {
  let count = 1
  for (let at = topic.indexOf('/'); at >= 0; at = topic.indexOf('/', at + 1)) count++
  return count
}
