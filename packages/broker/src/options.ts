import type { QoS } from '@pipit/protocol'
import type { AuditOptions } from './audit/audit.ts'
import type { AccessOptions } from './auth/access-options.ts'
import type { Authenticator } from './auth/authenticator.ts'
import type { Logger } from './broker.ts'
import type { Hooks } from './hooks.ts'
import type { SharedStrategy } from './routing/shared.ts'
import type { OverflowPolicy } from './sessions/session.ts'
import type { Durability } from './storage/journal.ts'

/** Limits of a broker. Each has a default that an honest client does not meet, and what is said when one does. */
export interface Limits {
  /** Bytes of one packet, fixed header included. Beyond: DISCONNECT 0x95. Announced when below the default. */
  readonly maximumPacketSize: number
  /** Bytes of a message's payload. Beyond: not delivered, PUBACK and PUBREC 0x83. */
  readonly payloadSize: number
  /** Bytes of the first packet, before the client is known. Beyond: closed. Where clients have to log in, the default
   *  is 4096. */
  readonly connectPacketSize: number
  /** Levels of a Topic Name or Filter. Beyond: DISCONNECT 0x90 for PUBLISH, SUBACK 0x8F. */
  readonly topicLevels: number
  /** Bytes of a Client Identifier. Beyond: CONNACK 0x85. */
  readonly clientIdLength: number
  /** Sessions held. Beyond: CONNACK 0x97. */
  readonly sessions: number
  /** Connections at a time. Beyond: CONNACK 0x89. */
  readonly connections: number
  /** Connections at a time from one address. Beyond: closed at once. */
  readonly connectionsPerAddress: number
  /** Connections at a time of one user. Beyond: CONNACK 0x97. */
  readonly connectionsPerUser: number
  /** Subscriptions of one session. Beyond: SUBACK 0x97. */
  readonly subscriptionsPerClient: number
  /** QoS 1 and 2 messages in flight to one client, whatever its Receive Maximum allows. */
  readonly inflight: number
  /** Bytes of payloads in flight to one client at QoS 1 and 2: with so many, nothing more is sent to it until some are
   *  acknowledged. 0: no limit. */
  readonly inflightBytes: number
  /** QoS 1 and 2 messages unacknowledged from one client; announced when below 65535. Beyond: DISCONNECT 0x93. */
  readonly receiveMaximum: number
  /** Topic Aliases accepted from one client; announced when above 0. Beyond: DISCONNECT 0x94. */
  readonly topicAliasMaximum: number
  /** Topic Aliases assigned to one client, as far as it takes them. */
  readonly topicAliasesOut: number
  /** Messages queued for one session. Beyond: `overflowPolicy`. */
  readonly queuedMessages: number
  /** Bytes queued for one session. Beyond: `overflowPolicy`. */
  readonly queuedBytes: number
  /** Messages queued for all sessions together. Beyond: `overflowPolicy` of the session that would get one more. */
  readonly queuedMessagesInAll: number
  /** Bytes queued for all sessions together. Beyond: `overflowPolicy` of the session that would get more. */
  readonly queuedBytesInAll: number
  /** Retained messages. Beyond: PUBACK 0x97, not retained. */
  readonly retainedMessages: number
  /** Bytes of retained messages. Beyond: PUBACK 0x97, not retained. */
  readonly retainedBytes: number
  /** Bytes of messages that the broker holds for all clients: queued, in flight, retained, and in outputs that are not
   *  taken. Beyond: a client that publishes more is disconnected (0x97), and receivers get less. 0: no limit. */
  readonly memory: number
  /** Bytes that wait for one slow receiver; QoS 0 messages beyond are dropped and counted. */
  readonly outputBytes: number
  /** Seconds that a receiver may take nothing while bytes wait for it. Beyond: DISCONNECT 0x89. */
  readonly slowReceiverTimeout: number
  /** Seconds from a connection's begin to its CONNECT. Beyond: closed. */
  readonly connectTimeout: number
  /** Seconds; a client that asks for more, or for none, gets this as Server Keep Alive. 0: no limit. */
  readonly keepAlive: number
  /** Seconds that any session is kept without its client. */
  readonly sessionExpiryInterval: number
  /** Connections a second from one address, or one IPv6 network of 64 bits. Beyond: closed before any TLS. 0: no
   *  limit. The default is not for connections of this machine's own. */
  readonly connectionRate: number
  /** Connections at a time from one address, or one IPv6 network, that have not logged in, those in a TLS or
   *  WebSocket handshake included. Beyond: closed. The default is not for connections of this machine's own. */
  readonly pendingPerAddress: number
  /** Messages a second from one client: beyond, it is read more slowly. 0: no limit. */
  readonly messageRate: number
  /** Bytes a second from one client: beyond, it is read more slowly. 0: no limit. */
  readonly byteRate: number
  /** Seconds that a client may send faster than its rate without a pause. Beyond: DISCONNECT 0x96. 0: no limit. */
  readonly rateTimeout: number
}

export const DEFAULT_LIMITS: Limits = {
  maximumPacketSize: 268435460,
  payloadSize: 268435455,
  connectPacketSize: 268435460,
  topicLevels: 200,
  clientIdLength: 65535,
  sessions: 10_000_000,
  connections: 1_000_000,
  connectionsPerAddress: 1_000_000,
  connectionsPerUser: 1_000_000,
  subscriptionsPerClient: 10_000_000,
  inflight: 65535,
  inflightBytes: 0,
  receiveMaximum: 65535,
  topicAliasMaximum: 10,
  topicAliasesOut: 16,
  queuedMessages: 1_000_000,
  queuedBytes: 256 * 1024 * 1024,
  queuedMessagesInAll: 10_000_000,
  queuedBytesInAll: 2 * 1024 * 1024 * 1024,
  retainedMessages: 10_000_000,
  retainedBytes: 4 * 1024 * 1024 * 1024,
  memory: 0,
  outputBytes: 16 * 1024 * 1024,
  slowReceiverTimeout: 60,
  connectTimeout: 30,
  keepAlive: 0,
  sessionExpiryInterval: 0xffffffff,
  connectionRate: 200,
  pendingPerAddress: 500,
  messageRate: 0,
  byteRate: 0,
  rateTimeout: 60,
}

export interface BrokerOptions extends Hooks {
  readonly limits?: Partial<Limits>
  /** What happens to a message that finds a session's queue full; default `drop-oldest`. */
  readonly overflowPolicy?: OverflowPolicy
  /** Keep QoS 0, too, for a client that is away and has a session. MQTT leaves that to the server. Default false. */
  readonly queueQoS0?: boolean
  /** Send at the QoS of the subscription what was published at a lower one. MQTT does not do so. Default false. */
  readonly upgradeQoS?: boolean
  /** How shared subscriptions choose; default `round-robin`. */
  readonly sharedStrategy?: SharedStrategy
  /** Check that a payload announced as UTF-8 is UTF-8; otherwise 0x99. Default false. */
  readonly checkPayloadFormat?: boolean
  /** Refuse control and non-characters in strings, as 1.5.4 allows; default true. */
  readonly strict?: boolean
  /** Accept clients of MQTT 3 that send an empty Client Identifier; default true. */
  readonly emptyClientId?: boolean
  /** What the Client Identifiers begin with that are given to clients without one; default `auto-`. */
  readonly assignedClientIdPrefix?: string
  /** The highest QoS; below 2 it is announced. Default 2. */
  readonly maximumQoS?: QoS
  /** Do not show retained messages of clients that may no longer publish them. Default false: they stay as they are. */
  readonly checkRetainSource?: boolean
  /** Accept retained messages; false is announced. Default true. */
  readonly retainAvailable?: boolean
  /** Send Reason Strings with refusals, to clients that want them; default false. */
  readonly reasonStrings?: boolean
  /** Response Information for clients that ask for it (5.0, 3.2.2.3.15). */
  readonly responseInformation?: string
  /** Ways to authenticate in several packets, such as `new ScramSha256(…)`; a client that asks for another
   *  method is refused with 0x8C. */
  readonly authenticators?: readonly Authenticator[]
  /** Who may come in and do what, where a listener does not say otherwise. */
  readonly access?: AccessOptions
  /** Let listeners on addresses beyond this machine do without passwords or TLS; default false. */
  readonly insecure?: boolean
  /** The data folder; without it nothing survives the process. */
  readonly data?: string
  /** When what has to survive is acknowledged; default `always`: when the disk has it. */
  readonly durability?: Durability
  /** Milliseconds between commits when `durability` is `interval`; default 1000. */
  readonly durabilityIntervalMs?: number
  /** Other durability for topics that match a filter; the first that matches counts. Topics with `off` are kept in memory only. */
  readonly durabilityByFilter?: readonly { readonly filter: string; readonly durability: Durability }[]
  /** Where it is written down who came and did what; default: nowhere. */
  readonly audit?: AuditOptions
  /** Seconds between updates of the topics $SYS/broker/…; 0: there are none. Default 10. */
  readonly sysInterval?: number
  /** Tell the times of a PUBLISH with the User Property `pipit-trace` on `$SYS/broker/trace/<its value>`: when it was
   *  received, routed and written. Default false. */
  readonly trace?: boolean
  /** Where events are logged; default: nowhere. */
  readonly logger?: Logger
  /** The clock, milliseconds since the epoch; default Date.now. */
  readonly now?: () => number
}

/** @throws RangeError naming the limit that is wrong */
export function checkedLimits(given: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULT_LIMITS)) throw new RangeError(`limits.${name}: there is no such limit`)
    if (value !== undefined && !(Number.isFinite(value) && value >= 0)) {
      throw new RangeError(`limits.${name} is ${value}; it takes a number from 0 on`)
    }
  }
  const limits = { ...DEFAULT_LIMITS, ...given }
  if (limits.receiveMaximum < 1 || limits.receiveMaximum > 65535) {
    throw new RangeError(`limits.receiveMaximum is ${limits.receiveMaximum}; it takes 1 to 65535`)
  }
  if (limits.topicAliasMaximum > 65535) {
    throw new RangeError(`limits.topicAliasMaximum is ${limits.topicAliasMaximum}; it takes 0 to 65535`)
  }
  return limits
}
