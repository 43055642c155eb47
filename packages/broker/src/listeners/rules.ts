import type { QoS } from '@pipit/protocol'

/** What holds for the clients of one listener, in place of what the broker's options say. */
export interface ListenerRules {
  /** The highest QoS; below 2 it is announced. */
  readonly maximumQoS?: QoS
  /** Topic Aliases accepted from one client. */
  readonly topicAliasMaximum?: number
  /** Accept clients that send an empty Client Identifier. */
  readonly emptyClientId?: boolean
  /** What the identifiers begin with that are given to them. */
  readonly assignedClientIdPrefix?: string
  /** What stands before every topic of its clients: `house/` makes their `a` others' `house/a`, and they see nothing
   *  else. */
  readonly mountPoint?: string
  /** A client's user name is its identifier, whatever it sends: so nobody takes a session of another user's. One
   *  without a user name is refused with 0x87. */
  readonly usernameAsClientId?: boolean
}

export const NO_RULES: ListenerRules = {}
