import type {
  AuthProperties,
  ConnackProperties,
  ConnectProperties,
  DisconnectProperties,
  PublishProperties,
  ReasonProperties,
  SubscribeProperties,
  UnsubscribeProperties,
  WillProperties,
} from './property-table.ts'
import type { ReasonCode } from './reason-codes.ts'

/** The protocol level byte of CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export type ProtocolVersion = 3 | 4 | 5

export type QoS = 0 | 1 | 2

/** 0: send retained messages on subscribe; 1: only if the subscription is new; 2: none.
 *  @see MQTT 5.0, 3.8.3.1 */
export type RetainHandling = 0 | 1 | 2

/** Control packet types by their number in the fixed header; 0 is reserved.
 *  @see MQTT 5.0, 2.1.2 */
export const PACKET_TYPES = [
  'RESERVED',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
] as const

export type PacketType = Exclude<(typeof PACKET_TYPES)[number], 'RESERVED'>

export interface Will {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly properties?: WillProperties
}

/** @see MQTT 5.0, 3.1 */
export interface Connect {
  readonly type: 'CONNECT'
  readonly protocolVersion: ProtocolVersion
  /** 1 when the peer is a bridge (the high bit of the protocol level, as Mosquitto writes it). */
  readonly bridge?: boolean
  readonly clientId: string
  /** Clean Session in 3.x. */
  readonly cleanStart: boolean
  /** Seconds, 0 to 65535; 0 turns keep alive off. */
  readonly keepAlive: number
  readonly username?: string
  readonly password?: Uint8Array
  readonly will?: Will
  readonly properties?: ConnectProperties
}

/** @see MQTT 5.0, 3.2 */
export interface Connack {
  readonly type: 'CONNACK'
  readonly sessionPresent: boolean
  /** The reason code in 5.0, the return code (0 to 5) in 3.x. */
  readonly reasonCode: number
  readonly properties?: ConnackProperties
}

/** @see MQTT 5.0, 3.3 */
export interface Publish {
  readonly type: 'PUBLISH'
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** 1 to 65535; 0 when `qos` is 0. */
  readonly packetId: number
  readonly properties?: PublishProperties
}

/** @see MQTT 5.0, 3.4 */
export interface Puback {
  readonly type: 'PUBACK'
  readonly packetId: number
  readonly reasonCode: ReasonCode
  readonly properties?: ReasonProperties
}

/** @see MQTT 5.0, 3.5 */
export interface Pubrec {
  readonly type: 'PUBREC'
  readonly packetId: number
  readonly reasonCode: ReasonCode
  readonly properties?: ReasonProperties
}

/** @see MQTT 5.0, 3.6 */
export interface Pubrel {
  readonly type: 'PUBREL'
  readonly packetId: number
  readonly reasonCode: ReasonCode
  readonly properties?: ReasonProperties
}

/** @see MQTT 5.0, 3.7 */
export interface Pubcomp {
  readonly type: 'PUBCOMP'
  readonly packetId: number
  readonly reasonCode: ReasonCode
  readonly properties?: ReasonProperties
}

export interface Subscription {
  readonly topicFilter: string
  /** The highest QoS the subscriber wants. */
  readonly qos: QoS
  readonly noLocal?: boolean
  readonly retainAsPublished?: boolean
  readonly retainHandling?: RetainHandling
}

/** @see MQTT 5.0, 3.8 */
export interface Subscribe {
  readonly type: 'SUBSCRIBE'
  readonly packetId: number
  readonly subscriptions: readonly Subscription[]
  readonly properties?: SubscribeProperties
}

/** @see MQTT 5.0, 3.9 */
export interface Suback {
  readonly type: 'SUBACK'
  readonly packetId: number
  /** One for each filter, in their order: the granted QoS, or a failure of 0x80 and above. */
  readonly reasonCodes: readonly ReasonCode[]
  readonly properties?: ReasonProperties
}

/** @see MQTT 5.0, 3.10 */
export interface Unsubscribe {
  readonly type: 'UNSUBSCRIBE'
  readonly packetId: number
  readonly topicFilters: readonly string[]
  readonly properties?: UnsubscribeProperties
}

/** @see MQTT 5.0, 3.11 */
export interface Unsuback {
  readonly type: 'UNSUBACK'
  readonly packetId: number
  /** One for each filter, in their order; empty in 3.x, which has no such field. */
  readonly reasonCodes: readonly ReasonCode[]
  readonly properties?: ReasonProperties
}

/** @see MQTT 5.0, 3.12 */
export interface Pingreq {
  readonly type: 'PINGREQ'
}

/** @see MQTT 5.0, 3.13 */
export interface Pingresp {
  readonly type: 'PINGRESP'
}

/** @see MQTT 5.0, 3.14 */
export interface Disconnect {
  readonly type: 'DISCONNECT'
  readonly reasonCode: ReasonCode
  readonly properties?: DisconnectProperties
}

/** @see MQTT 5.0, 3.15 */
export interface Auth {
  readonly type: 'AUTH'
  readonly reasonCode: ReasonCode
  readonly properties?: AuthProperties
}

/** Every MQTT control packet, told apart by `type`. */
export type Packet =
  | Connect
  | Connack
  | Publish
  | Puback
  | Pubrec
  | Pubrel
  | Pubcomp
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Pingreq
  | Pingresp
  | Disconnect
  | Auth
