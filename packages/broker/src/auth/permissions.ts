import { MalformedPacketError, type ReasonCode, type Subscription } from '@pipit/protocol'
import { type HookClient, type HookRunner, isPromise } from '../hooks.ts'
import type { Limits } from '../options.ts'
import type { TopicEntry } from '../routing/topic-table.ts'
import type { Session } from '../sessions/session.ts'
import type { Rights } from './rights.ts'

/** Decisions on receiving that are remembered for a session. */
const KEPT = 1_000

/** Who may publish, subscribe and receive what. Decisions on publishing are remembered by connection and topic
 *  until the rules change. */
export class Permissions {
  /** Grows when decisions may have changed. */
  generation = 0
  private readonly limits: Limits
  private readonly hooks: HookRunner
  private readonly rightsOf: (session: Session) => Rights | undefined
  private received = new WeakMap<Session, Map<string, boolean>>()

  constructor(limits: Limits, hooks: HookRunner, rightsOf: (session: Session) => Rights | undefined) {
    this.limits = limits
    this.hooks = hooks
    this.rightsOf = rightsOf
  }

  /** Forgets what was decided: the rules have changed. */
  changed(): void {
    this.generation++
    this.received = new WeakMap()
  }

  /** Forgets what was decided about a session: it is somebody else's now. */
  forget(session: Session): void {
    this.received.delete(session)
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
    // $SYS is the broker's own, but for the state of bridges, as with Mosquitto; $share names no topic.
    if (topic.startsWith('$SYS/') ? !BRIDGE_STATE.test(topic) : topic.startsWith('$share/')) return false
    return this.allowPublish(this.rightsOf(session), session, topic)
  }

  /** Decides about the will of a client that is about to be let in. */
  allowPublish(
    rights: Rights | undefined,
    client: Pick<HookClient, 'clientId' | 'username'>,
    topic: string,
  ): boolean | Promise<boolean> {
    const allowed = rights?.mayPublish(topic) ?? true
    if (isPromise(allowed))
      return allowed.then((may) => may && this.hooks.authorize(client, 'publish', topic))
    return allowed && this.hooks.authorize(client, 'publish', topic)
  }

  /** Says whether a session gets messages of a topic; remembered until rules change. */
  mayReceive(session: Session, topic: string): boolean {
    if (session.connection?.isLocal === true) return true
    let known = this.received.get(session)
    const before = known?.get(topic)
    if (before !== undefined) return before
    const rights = this.rightsOf(session)
    const may = (rights?.mayReceive(topic) ?? true) && this.hooks.authorizeReceiving(session, topic)
    if (known === undefined || known.size >= KEPT) {
      known = new Map()
      this.received.set(session, known)
    }
    known.set(topic, may)
    return may
  }

  /** The QoS that may be granted, or the code of a refusal. */
  maySubscribe(session: Session, client: HookClient, wanted: Subscription): ReasonCode | Promise<ReasonCode> {
    const allowed = this.rightsOf(session)?.maySubscribe(wanted.topicFilter) ?? true
    if (isPromise(allowed)) {
      return allowed.then((may) => (may ? this.hooks.subscribe(client, wanted) : NOT_AUTHORISED))
    }
    return allowed ? this.hooks.subscribe(client, wanted) : NOT_AUTHORISED
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

const NOT_AUTHORISED: ReasonCode = 0x87
const BRIDGE_STATE = /^\$SYS\/broker\/connection\/[^/]+\/state$/

function levels(topic: string): number {
  let count = 1
  for (let at = topic.indexOf('/'); at >= 0; at = topic.indexOf('/', at + 1)) count++
  return count
}
