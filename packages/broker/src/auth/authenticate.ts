import type { Connect, ReasonCode } from '@pipit/protocol'

/** Who wants to connect. */
export interface ConnectRequest {
  readonly clientId: string
  readonly username: string | undefined
  readonly password: Uint8Array | undefined
  readonly remoteAddress: string
  readonly packet: Connect
}

/** What came of it: 0 lets the client in. */
export interface AuthenticationResult {
  readonly reasonCode: ReasonCode
  /** For clients that want it, when the broker sends Reason Strings. */
  readonly reasonString?: string
  /** Who the client is from now on; default: the user name it gave. Of one that is refused: who it tried to be. */
  readonly username?: string
  /** What the client may do, in place of what the ACL file says, as rules such as `read a/#` and `write b`. */
  readonly acl?: readonly string[]
  /** How long the client may stay, milliseconds since the epoch; then: DISCONNECT 0xA0. Default: for ever. */
  readonly validUntil?: number
  /** Last data of an enhanced authentication, sent with CONNACK. */
  readonly authenticationData?: Uint8Array
}

/** Decides who may connect: true, false (0x86), or a result. A rejection refuses with 0x80. */
export type Authenticate = (
  request: ConnectRequest,
) => boolean | AuthenticationResult | Promise<boolean | AuthenticationResult>

export type Access = 'publish' | 'subscribe' | 'receive'

/** Decides what a client can do with a Topic Name or, to subscribe, a Topic Filter. What it says about publishing is
 *  remembered by connection and topic, what it says about receiving by session and topic, until `broker.rulesChanged()`.
 *  It may take its time about `publish` and `subscribe`, and answers at once about `receive`, which is asked before each
 *  delivery that is not remembered. A rejection is a no. */
export type Authorize = (
  client: { readonly clientId: string; readonly username: string | undefined },
  access: Access,
  topic: string,
) => boolean | Promise<boolean>
