import fc from 'fast-check'
import type { Packet, ProtocolVersion, QoS, ReasonCode, RetainHandling } from '../src/index.ts'
import { isReasonCodeOf, type PacketType } from '../src/index.ts'

/** Any string MQTT can carry, control characters and non-characters included. */
export const text = (maxLength = 12): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', maxLength }).map((s) => s.replaceAll('\0', ''))

const nonEmpty = (s: string): string => (s === '' ? 'x' : s)

/** A Topic Name; often one of a few, so that caches are met. */
export const topicName = fc.oneof(
  fc.constantFrom('a', 'a/b', 'home/kitchen/light', '/', 'ä/ö', '$SYS/x', 'sensors/🌡/1'),
  text(20).map((s) => nonEmpty(s.replaceAll(/[+#]/g, '_'))),
  fc.integer({ min: 1, max: 300 }).map((length) => 't'.repeat(length)),
)

const level = fc.oneof(
  fc.constantFrom('', '+', 'a', 'b', '$x'),
  text(4).map((s) => s.replaceAll(/[+#/]/g, '_')),
)

/** A Topic Filter, shared at times. */
export const topicFilter = fc
  .record({
    levels: fc.array(level, { minLength: 1, maxLength: 5 }),
    hash: fc.boolean(),
    share: fc.boolean(),
  })
  .map(({ levels, hash, share }) => {
    const filter = nonEmpty([...levels, ...(hash ? ['#'] : [])].join('/'))
    return share ? `$share/group/${filter}` : filter.startsWith('$share/') ? 'x' : filter
  })

const bytes = (maxLength = 20): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })
const packetId = fc.oneof(fc.constantFrom(1, 2, 255, 256, 65535), fc.integer({ min: 1, max: 65535 }))
const qos: fc.Arbitrary<QoS> = fc.constantFrom(0, 1, 2)
const uint16 = fc.integer({ min: 0, max: 65535 })
const uint32 = fc.oneof(
  fc.constantFrom(0, 1, 2147483647, 2147483648, 4294967295),
  fc.integer({ min: 0, max: 4294967295 }),
)
const bit = fc.constantFrom(0 as const, 1 as const)
const userProperties = fc.array(fc.tuple(text(6), text(6)), { minLength: 1, maxLength: 3 })
const subscriptionIdentifier = fc.oneof(
  fc.constantFrom(1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455),
  fc.integer({ min: 1, max: 268435455 }),
)

/** Values of every property. */
const values = {
  payloadFormatIndicator: bit,
  messageExpiryInterval: uint32,
  contentType: text(),
  responseTopic: topicName,
  correlationData: bytes(),
  subscriptionIdentifiers: fc.array(subscriptionIdentifier, { minLength: 1, maxLength: 3 }),
  sessionExpiryInterval: uint32,
  assignedClientIdentifier: text(),
  serverKeepAlive: uint16,
  authenticationMethod: text(),
  authenticationData: bytes(),
  requestProblemInformation: bit,
  willDelayInterval: uint32,
  requestResponseInformation: bit,
  responseInformation: text(),
  serverReference: text(),
  reasonString: text(),
  receiveMaximum: fc.integer({ min: 1, max: 65535 }),
  topicAliasMaximum: uint16,
  topicAlias: fc.integer({ min: 1, max: 65535 }),
  maximumQoS: bit,
  retainAvailable: bit,
  userProperties,
  maximumPacketSize: fc.integer({ min: 1, max: 4294967295 }),
  wildcardSubscriptionAvailable: bit,
  subscriptionIdentifiersAvailable: bit,
  sharedSubscriptionAvailable: bit,
}

type Name = keyof typeof values

/** Any choice of these properties in any order. */
function some(...names: Name[]): fc.Arbitrary<object> {
  return fc
    .shuffledSubarray(names)
    .chain((chosen) =>
      fc
        .tuple(...chosen.map((name) => values[name] as fc.Arbitrary<unknown>))
        .map((drawn) => Object.fromEntries(chosen.map((name, i) => [name, drawn[i]]))),
    )
}

const REASON = ['reasonString', 'userProperties'] as const
const none = fc.constant({})
const in5 = (version: ProtocolVersion, ...names: Name[]) => (version === 5 ? some(...names) : none)

function reasonCode(type: PacketType): fc.Arbitrary<ReasonCode> {
  const codes = Array.from({ length: 256 }, (_, code) => code).filter((code) => isReasonCodeOf(type, code))
  return fc.constantFrom(...(codes as ReasonCode[]))
}

function withData(properties: object): object {
  return 'authenticationData' in properties && !('authenticationMethod' in properties)
    ? { ...properties, authenticationMethod: 'm' }
    : properties
}

function will(version: ProtocolVersion): fc.Arbitrary<unknown> {
  return fc.record({
    topic: topicName,
    payload: bytes(),
    qos,
    retain: fc.boolean(),
    properties: in5(
      version,
      'willDelayInterval',
      'payloadFormatIndicator',
      'messageExpiryInterval',
      'contentType',
      'responseTopic',
      'correlationData',
      'userProperties',
    ),
  })
}

function connect(version: ProtocolVersion): fc.Arbitrary<unknown> {
  return fc
    .record({
      type: fc.constant('CONNECT'),
      protocolVersion: fc.constant(version),
      bridge: fc.boolean(),
      clientId: text(),
      cleanStart: fc.boolean(),
      keepAlive: uint16,
      username: fc.option(text(), { nil: undefined }),
      password: fc.option(bytes(), { nil: undefined }),
      will: fc.option(will(version), { nil: undefined }),
      properties: in5(
        version,
        'sessionExpiryInterval',
        'receiveMaximum',
        'maximumPacketSize',
        'topicAliasMaximum',
        'requestResponseInformation',
        'requestProblemInformation',
        'userProperties',
        'authenticationMethod',
        'authenticationData',
      ).map(withData),
    })
    .map((packet) =>
      version < 5 && packet.username === undefined ? { ...packet, password: undefined } : packet,
    )
}

function connack(version: ProtocolVersion): fc.Arbitrary<unknown> {
  return fc
    .record({
      type: fc.constant('CONNACK'),
      sessionPresent: fc.boolean(),
      reasonCode: version === 5 ? reasonCode('CONNACK') : fc.integer({ min: 0, max: 5 }),
      properties: in5(
        version,
        'sessionExpiryInterval',
        'receiveMaximum',
        'maximumQoS',
        'retainAvailable',
        'maximumPacketSize',
        'assignedClientIdentifier',
        'topicAliasMaximum',
        'reasonString',
        'userProperties',
        'wildcardSubscriptionAvailable',
        'subscriptionIdentifiersAvailable',
        'sharedSubscriptionAvailable',
        'serverKeepAlive',
        'responseInformation',
        'serverReference',
        'authenticationMethod',
        'authenticationData',
      ),
    })
    .map((packet) => (packet.reasonCode === 0 ? packet : { ...packet, sessionPresent: false }))
}

function publish(version: ProtocolVersion): fc.Arbitrary<unknown> {
  const properties = in5(
    version,
    'payloadFormatIndicator',
    'messageExpiryInterval',
    'topicAlias',
    'responseTopic',
    'correlationData',
    'userProperties',
    'subscriptionIdentifiers',
    'contentType',
  )
  return fc
    .record({
      type: fc.constant('PUBLISH'),
      topic: topicName,
      payload: fc.oneof(bytes(), bytes(200)),
      qos,
      retain: fc.boolean(),
      dup: fc.boolean(),
      packetId,
      properties,
      byAlias: fc.boolean(),
    })
    .map(({ byAlias, ...packet }) => ({
      ...packet,
      topic: byAlias && 'topicAlias' in packet.properties ? '' : packet.topic,
      ...(packet.qos === 0 && { dup: false, packetId: 0 }),
    }))
}

function acknowledgement(type: PacketType, version: ProtocolVersion): fc.Arbitrary<unknown> {
  return fc.record({
    type: fc.constant(type),
    packetId,
    reasonCode: version === 5 ? reasonCode(type) : fc.constant(0),
    properties: in5(version, ...REASON),
  })
}

function subscribe(version: ProtocolVersion): fc.Arbitrary<unknown> {
  const option = version === 5 ? fc.boolean() : fc.constant(false)
  const retainHandling: fc.Arbitrary<RetainHandling> =
    version === 5 ? fc.constantFrom(0, 1, 2) : fc.constant(0)
  const subscription = fc
    .record({ topicFilter, qos, noLocal: option, retainAsPublished: option, retainHandling })
    .map((s) => (s.topicFilter.startsWith('$share/') ? { ...s, noLocal: false } : s))
  return fc
    .record({
      type: fc.constant('SUBSCRIBE'),
      packetId,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
      properties: in5(version, 'subscriptionIdentifiers', 'userProperties'),
    })
    .map((packet) => ({ ...packet, properties: oneIdentifier(packet.properties) }))
}

function oneIdentifier(properties: { subscriptionIdentifiers?: number[] }): object {
  const identifiers = properties.subscriptionIdentifiers
  return identifiers === undefined
    ? properties
    : { ...properties, subscriptionIdentifiers: identifiers.slice(0, 1) }
}

function suback(version: ProtocolVersion): fc.Arbitrary<unknown> {
  const code = version === 5 ? reasonCode('SUBACK') : fc.constantFrom<ReasonCode>(0, 1, 2, 0x80)
  return fc.record({
    type: fc.constant('SUBACK'),
    packetId,
    reasonCodes: fc.array(code, { minLength: 1, maxLength: 5 }),
    properties: in5(version, ...REASON),
  })
}

function unsuback(version: ProtocolVersion): fc.Arbitrary<unknown> {
  return fc.record({
    type: fc.constant('UNSUBACK'),
    packetId,
    reasonCodes: version === 5 ? fc.array(reasonCode('UNSUBACK'), { maxLength: 5 }) : fc.constant([]),
    properties: in5(version, ...REASON),
  })
}

function unsubscribe(version: ProtocolVersion): fc.Arbitrary<unknown> {
  return fc.record({
    type: fc.constant('UNSUBSCRIBE'),
    packetId,
    topicFilters: fc.array(topicFilter, { minLength: 1, maxLength: 4 }),
    properties: in5(version, 'userProperties'),
  })
}

function disconnect(version: ProtocolVersion): fc.Arbitrary<unknown> {
  return fc.record({
    type: fc.constant('DISCONNECT'),
    reasonCode: version === 5 ? reasonCode('DISCONNECT') : fc.constant(0),
    properties: in5(version, 'sessionExpiryInterval', 'serverReference', ...REASON),
  })
}

const auth = fc
  .record({
    type: fc.constant('AUTH'),
    reasonCode: reasonCode('AUTH'),
    properties: some('authenticationMethod', 'authenticationData', ...REASON),
  })
  .map((packet) =>
    packet.reasonCode === 0 && Object.keys(packet.properties).length === 0
      ? packet
      : { ...packet, properties: { authenticationMethod: 'm', ...packet.properties } },
  )

/** Any packet a version knows, in the form in which the parser gives it. */
export function packet(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const any = fc.oneof(
    connect(version),
    connack(version),
    { arbitrary: publish(version), weight: 4 },
    ...(['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'] as const).map((type) => acknowledgement(type, version)),
    subscribe(version),
    suback(version),
    unsubscribe(version),
    unsuback(version),
    fc.constantFrom({ type: 'PINGREQ' }, { type: 'PINGRESP' }),
    disconnect(version),
    ...(version === 5 ? [auth] : []),
  )
  return any as fc.Arbitrary<Packet>
}
