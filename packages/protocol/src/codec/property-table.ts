import type { PacketType } from './packets.ts'

/** Where a property may stand: a packet, or the will inside CONNECT. */
export type PropertyPlace = PacketType | 'WILL'

/** How a value is laid out. */
export type PropertyType = 'byte' | 'uint16' | 'uint32' | 'varint' | 'string' | 'pair' | 'binary'

export interface PropertyRow {
  readonly id: number
  readonly name: keyof AllProperties
  readonly type: PropertyType
  readonly in: readonly PropertyPlace[]
  /** A byte that only takes 0 and 1. */
  readonly boolean?: true
  /** 0 is a Protocol Error, or the code given. */
  readonly nonZero?: true | 0x94
  /** May stand more than once, always (`true`) or only in these packets. */
  readonly many?: true | readonly PropertyPlace[]
}

const ACKS = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBACK', 'UNSUBACK'] as const

/** Every property of MQTT 5.0.
 *  @see MQTT 5.0, 2.2.2.2 */
export const PROPERTIES = [
  { id: 0x01, name: 'payloadFormatIndicator', type: 'byte', in: ['PUBLISH', 'WILL'], boolean: true },
  { id: 0x02, name: 'messageExpiryInterval', type: 'uint32', in: ['PUBLISH', 'WILL'] },
  { id: 0x03, name: 'contentType', type: 'string', in: ['PUBLISH', 'WILL'] },
  { id: 0x08, name: 'responseTopic', type: 'string', in: ['PUBLISH', 'WILL'] },
  { id: 0x09, name: 'correlationData', type: 'binary', in: ['PUBLISH', 'WILL'] },
  {
    id: 0x0b,
    name: 'subscriptionIdentifiers',
    type: 'varint',
    in: ['PUBLISH', 'SUBSCRIBE'],
    nonZero: true,
    many: ['PUBLISH'],
  },
  { id: 0x11, name: 'sessionExpiryInterval', type: 'uint32', in: ['CONNECT', 'CONNACK', 'DISCONNECT'] },
  { id: 0x12, name: 'assignedClientIdentifier', type: 'string', in: ['CONNACK'] },
  { id: 0x13, name: 'serverKeepAlive', type: 'uint16', in: ['CONNACK'] },
  { id: 0x15, name: 'authenticationMethod', type: 'string', in: ['CONNECT', 'CONNACK', 'AUTH'] },
  { id: 0x16, name: 'authenticationData', type: 'binary', in: ['CONNECT', 'CONNACK', 'AUTH'] },
  { id: 0x17, name: 'requestProblemInformation', type: 'byte', in: ['CONNECT'], boolean: true },
  { id: 0x18, name: 'willDelayInterval', type: 'uint32', in: ['WILL'] },
  { id: 0x19, name: 'requestResponseInformation', type: 'byte', in: ['CONNECT'], boolean: true },
  { id: 0x1a, name: 'responseInformation', type: 'string', in: ['CONNACK'] },
  { id: 0x1c, name: 'serverReference', type: 'string', in: ['CONNACK', 'DISCONNECT'] },
  { id: 0x1f, name: 'reasonString', type: 'string', in: ['CONNACK', ...ACKS, 'DISCONNECT', 'AUTH'] },
  { id: 0x21, name: 'receiveMaximum', type: 'uint16', in: ['CONNECT', 'CONNACK'], nonZero: true },
  { id: 0x22, name: 'topicAliasMaximum', type: 'uint16', in: ['CONNECT', 'CONNACK'] },
  { id: 0x23, name: 'topicAlias', type: 'uint16', in: ['PUBLISH'], nonZero: 0x94 },
  { id: 0x24, name: 'maximumQoS', type: 'byte', in: ['CONNACK'], boolean: true },
  { id: 0x25, name: 'retainAvailable', type: 'byte', in: ['CONNACK'], boolean: true },
  {
    id: 0x26,
    name: 'userProperties',
    type: 'pair',
    in: ['CONNECT', 'CONNACK', 'PUBLISH', 'WILL', ...ACKS, 'SUBSCRIBE', 'UNSUBSCRIBE', 'DISCONNECT', 'AUTH'],
    many: true,
  },
  { id: 0x27, name: 'maximumPacketSize', type: 'uint32', in: ['CONNECT', 'CONNACK'], nonZero: true },
  { id: 0x28, name: 'wildcardSubscriptionAvailable', type: 'byte', in: ['CONNACK'], boolean: true },
  { id: 0x29, name: 'subscriptionIdentifiersAvailable', type: 'byte', in: ['CONNACK'], boolean: true },
  { id: 0x2a, name: 'sharedSubscriptionAvailable', type: 'byte', in: ['CONNACK'], boolean: true },
] as const satisfies readonly PropertyRow[]

/** Name and value, as sent; names may repeat and their order is kept. */
export type UserProperty = readonly [name: string, value: string]

interface AllProperties {
  /** 0: unspecified bytes; 1: the payload is UTF-8 text. */
  readonly payloadFormatIndicator?: 0 | 1
  /** Seconds. */
  readonly messageExpiryInterval?: number
  readonly contentType?: string
  readonly responseTopic?: string
  readonly correlationData?: Uint8Array
  /** 1 to 268435455 each; SUBSCRIBE takes exactly one. */
  readonly subscriptionIdentifiers?: readonly number[]
  /** Seconds; 4294967295 never expires. */
  readonly sessionExpiryInterval?: number
  readonly assignedClientIdentifier?: string
  /** Seconds. */
  readonly serverKeepAlive?: number
  readonly authenticationMethod?: string
  readonly authenticationData?: Uint8Array
  readonly requestProblemInformation?: 0 | 1
  /** Seconds. */
  readonly willDelayInterval?: number
  readonly requestResponseInformation?: 0 | 1
  readonly responseInformation?: string
  readonly serverReference?: string
  readonly reasonString?: string
  /** 1 to 65535. */
  readonly receiveMaximum?: number
  /** 0 to 65535. */
  readonly topicAliasMaximum?: number
  /** 1 to 65535. */
  readonly topicAlias?: number
  readonly maximumQoS?: 0 | 1
  readonly retainAvailable?: 0 | 1
  readonly userProperties?: readonly UserProperty[]
  /** Bytes, 1 to 4294967295. */
  readonly maximumPacketSize?: number
  readonly wildcardSubscriptionAvailable?: 0 | 1
  readonly subscriptionIdentifiersAvailable?: 0 | 1
  readonly sharedSubscriptionAvailable?: 0 | 1
}

type Rows = (typeof PROPERTIES)[number]
type NamesIn<Place extends PropertyPlace> = Rows extends infer R
  ? R extends { name: infer N; in: readonly (infer P)[] }
    ? Place extends P
      ? N
      : never
    : never
  : never
type PropertiesOf<Place extends PropertyPlace> = Pick<AllProperties, NamesIn<Place> & keyof AllProperties>

export interface ConnectProperties extends PropertiesOf<'CONNECT'> {}
export interface WillProperties extends PropertiesOf<'WILL'> {}
export interface ConnackProperties extends PropertiesOf<'CONNACK'> {}
export interface PublishProperties extends PropertiesOf<'PUBLISH'> {}
/** Reason String and User Properties: what PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK carry. */
export interface ReasonProperties extends PropertiesOf<'PUBACK'> {}
export interface SubscribeProperties extends PropertiesOf<'SUBSCRIBE'> {}
export interface UnsubscribeProperties extends PropertiesOf<'UNSUBSCRIBE'> {}
export interface DisconnectProperties extends PropertiesOf<'DISCONNECT'> {}
export interface AuthProperties extends PropertiesOf<'AUTH'> {}
