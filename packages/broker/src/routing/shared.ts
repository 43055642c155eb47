import type { Session } from '../sessions/session.ts'
import type { SubscriptionState } from '../sessions/subscription.ts'

/** How a shared subscription chooses the member for a message. */
export type SharedStrategy = 'round-robin' | 'random' | 'sticky'

/** One shared subscription: a share name and a filter, and the sessions that share it.
 *  @see MQTT 5.0, 4.8.2 */
export class SharedGroup {
  readonly shareName: string
  readonly topicFilter: string
  readonly members: SubscriptionState[] = []
  private readonly strategy: SharedStrategy
  private next = 0

  constructor(shareName: string, topicFilter: string, strategy: SharedStrategy) {
    this.shareName = shareName
    this.topicFilter = topicFilter
    this.strategy = strategy
  }

  add(member: SubscriptionState): void {
    this.members.push(member)
  }

  remove(member: SubscriptionState): void {
    const index = this.members.indexOf(member)
    if (index < 0) return
    this.members.splice(index, 1)
    if (this.next > index) this.next--
  }

  /** The member that gets the next message: one that can take it now, else one that is online,
   *  else one whose session waits. Undefined when nobody can. At QoS 0 only an online one will do, unless QoS 0
   *  waits for the others too.
   *  @param may says who gets messages of this topic; undefined: all */
  choose(
    qos: number,
    except?: Session,
    may?: (session: Session, topic: string) => boolean,
    topic = '',
  ): SubscriptionState | undefined {
    const { members } = this
    const count = members.length
    let fallback: SubscriptionState | undefined
    let first = this.strategy === 'random' ? Math.floor(Math.random() * count) : this.next
    for (let i = 0; i < count; i++, first++) {
      if (first >= count) first = 0
      const member = members[first]!
      const session = member.session
      if (session === except || (may !== undefined && !may(session, topic))) continue
      if (session.canTake(Math.min(qos, member.qos))) {
        this.next = this.strategy === 'sticky' ? first : first + 1
        return member
      }
      const better = fallback === undefined || (session.online && !fallback.session.online)
      if (better && (session.online || qos > 0 || session.holdsQoS0)) fallback = member
    }
    return fallback
  }
}
