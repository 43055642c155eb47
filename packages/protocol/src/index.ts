export { decodeBody } from './codec/decode.ts'
export { encode, encodedLength, encodeInto } from './codec/encode.ts'
export { subscriptionOptions } from './codec/encode-subscribe.ts'
export { Frames, LARGEST_PACKET } from './codec/frames.ts'
export { NO_PROPERTIES } from './codec/no-properties.ts'
export * from './codec/packets.ts'
export { Parser, type ParserOptions } from './codec/parser.ts'
export { propertiesLength, readProperties, writeProperties } from './codec/properties.ts'
export {
  type AuthProperties,
  type ConnackProperties,
  type ConnectProperties,
  type DisconnectProperties,
  PROPERTIES,
  type PropertyPlace,
  type PublishProperties,
  type ReasonProperties,
  type SubscribeProperties,
  type UnsubscribeProperties,
  type UserProperty,
  type WillProperties,
} from './codec/property-table.ts'
export { EMPTY, Reader, variableByteIntegerLength } from './codec/reader.ts'
export { isReasonCodeOf, REASON_CODES, type ReasonCode, reasonCodeName } from './codec/reason-codes.ts'
export { RETURN_CODES, reasonCodeForReturnCode, returnCodeFor } from './codec/return-codes.ts'
export { Slab } from './codec/slab.ts'
export { TopicAliasOnly } from './codec/topic-alias-only.ts'
export { decodeUtf8, utf8Length, writeUtf8 } from './codec/utf8.ts'
export { Writer } from './codec/writer.ts'
export { FramingError, MalformedPacketError, MqttError, ProtocolError } from './errors.ts'
export { InboundAliases, OutboundAliases } from './session/aliases.ts'
export { Inbound } from './session/inbound.ts'
export { KeepAlive, type KeepAliveStep } from './session/keep-alive.ts'
export {
  AWAITING_PUBACK,
  AWAITING_PUBCOMP,
  AWAITING_PUBREC,
  AWAITING_REQUEST_ACK,
  Outbound,
} from './session/outbound.ts'
export { PacketIdTable } from './session/packet-id-table.ts'
export { SendQuota } from './session/quota.ts'
export {
  checkTopicFilter,
  matches,
  parseSharedFilter,
  type SharedFilter,
  topicFilterFault,
} from './topics/filters.ts'
export { checkTopicName, hasWildcard, topicNameFault } from './topics/names.ts'
export { SubscriptionIndex } from './topics/subscription-index.ts'
