import type { QoS } from '@pipit/protocol'
import type { Message } from './message.ts'
import type { SharedGroup } from './shared.ts'

/** One message on its way to one session, or, where nobody wished anything special, to many. */
export class Delivery {
  readonly message: Message
  /** The lower of published and granted QoS. */
  readonly qos: QoS
  /** RETAIN as the receiver will see it. */
  readonly retain: boolean
  /** Subscription Identifiers of all subscriptions that matched. */
  readonly identifiers: readonly number[] | undefined
  /** The shared subscription that chose this session. */
  readonly group: SharedGroup | undefined
  /** Its reference in storage; 0: it is not stored. */
  reference = 0

  constructor(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[] | undefined,
    group: SharedGroup | undefined,
  ) {
    this.message = message
    this.qos = qos
    this.retain = retain
    this.identifiers = identifiers
    this.group = group
  }

  /** Bytes it counts for in a queue. */
  get size(): number {
    return this.message.size
  }
}
