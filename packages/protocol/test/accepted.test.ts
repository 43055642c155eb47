import { describe, expect, it } from 'vitest'
import { encode, encodedLength, encodeInto, type Packet, type ProtocolVersion } from '../src/index.ts'
import { bytesOf, hex, parseAll } from './bytes.ts'

type Row = readonly [name: string, versions: readonly ProtocolVersion[], bytes: string, packet: Packet]

const V3 = [3] as const
const V311 = [4] as const
const OLD = [3, 4] as const
const V5 = [5] as const
const ALL = [3, 4, 5] as const

const payload = (text: string): Uint8Array => new TextEncoder().encode(text)
const publish = {
  type: 'PUBLISH',
  topic: 'a/b',
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0,
  properties: {},
} as const
const connect = { type: 'CONNECT', clientId: 'c', cleanStart: true, keepAlive: 10, properties: {} } as const

/** Bytes written from the specification, and the packet they are. Both directions are tested. */
const rows: readonly Row[] = [
  [
    'CONNECT 3.1, the smallest',
    V3,
    "10 [0006 'MQIsdp' 03 02 000a 0001 'c']",
    { ...connect, protocolVersion: 3 },
  ],
  [
    'CONNECT 3.1.1, the smallest',
    V311,
    "10 [0004 'MQTT' 04 02 000a 0001 'c']",
    { ...connect, protocolVersion: 4 },
  ],
  [
    'CONNECT 5.0, the smallest',
    V5,
    "10 [0004 'MQTT' 05 02 000a 00 0001 'c']",
    { ...connect, protocolVersion: 5 },
  ],
  [
    'CONNECT 3.1.1 from a bridge',
    V311,
    "10 [0004 'MQTT' 84 02 000a 0001 'c']",
    { ...connect, protocolVersion: 4, bridge: true },
  ],
  [
    'CONNECT 3.1.1 with everything',
    V311,
    "10 [0004 'MQTT' 04 f6 ffff 0001 'c' 0001 'w' 0002 'by' 0001 'u' 0003 00ff70]",
    {
      ...connect,
      protocolVersion: 4,
      keepAlive: 65535,
      will: { topic: 'w', payload: payload('by'), qos: 2, retain: true, properties: {} },
      username: 'u',
      password: Uint8Array.of(0, 255, 0x70),
    },
  ],
  [
    'CONNECT 3.1.1 with an empty client identifier and a user name that is empty',
    V311,
    "10 [0004 'MQTT' 04 82 0000 0000 0000]",
    { ...connect, protocolVersion: 4, keepAlive: 0, clientId: '', username: '' },
  ],
  [
    'CONNECT 3.1.1 for a session to go on',
    V311,
    "10 [0004 'MQTT' 04 00 000a 0001 'c']",
    { ...connect, protocolVersion: 4, cleanStart: false },
  ],
  [
    'CONNECT 5.0 with a password and no user name [3.1.2.9]',
    V5,
    "10 [0004 'MQTT' 05 42 000a 00 0001 'c' 0001 'p']",
    { ...connect, protocolVersion: 5, password: payload('p') },
  ],
  [
    'CONNECT 5.0 with every property',
    V5,
    "10 [0004 'MQTT' 05 02 000a [11 ffffffff 21 0014 27 80000000 22 000a 19 01 17 00" +
      " 15 0005 'SCRAM' 16 0002 0001 26 0001 'k' 0001 'v' 26 0001 'k' 0000] 0001 'c']",
    {
      ...connect,
      protocolVersion: 5,
      properties: {
        sessionExpiryInterval: 4294967295,
        receiveMaximum: 20,
        maximumPacketSize: 2147483648,
        topicAliasMaximum: 10,
        requestResponseInformation: 1,
        requestProblemInformation: 0,
        authenticationMethod: 'SCRAM',
        authenticationData: Uint8Array.of(0, 1),
        userProperties: [
          ['k', 'v'],
          ['k', ''],
        ],
      },
    },
  ],
  [
    'CONNECT 5.0 with every property of a will',
    V5,
    "10 [0004 'MQTT' 05 0e 0000 00 0001 'c' [18 0000003c 01 01 02 0000000a 03 0001 't' 08 0001 'r' 09 0001 00" +
      " 26 0001 'a' 0001 'b'] 0001 'w' 0000]",
    {
      ...connect,
      protocolVersion: 5,
      keepAlive: 0,
      will: {
        topic: 'w',
        payload: new Uint8Array(0),
        qos: 1,
        retain: false,
        properties: {
          willDelayInterval: 60,
          payloadFormatIndicator: 1,
          messageExpiryInterval: 10,
          contentType: 't',
          responseTopic: 'r',
          correlationData: Uint8Array.of(0),
          userProperties: [['a', 'b']],
        },
      },
    },
  ],

  [
    'CONNACK 3.x',
    OLD,
    '20 [00 00]',
    { type: 'CONNACK', sessionPresent: false, reasonCode: 0, properties: {} },
  ],
  [
    'CONNACK 3.1.1, session present',
    V311,
    '20 [01 00]',
    { type: 'CONNACK', sessionPresent: true, reasonCode: 0, properties: {} },
  ],
  [
    'CONNACK 3.x, not authorised',
    OLD,
    '20 [00 05]',
    { type: 'CONNACK', sessionPresent: false, reasonCode: 5, properties: {} },
  ],
  [
    'CONNACK 5.0',
    V5,
    '20 [01 00 00]',
    { type: 'CONNACK', sessionPresent: true, reasonCode: 0, properties: {} },
  ],
  [
    'CONNACK 5.0, banned',
    V5,
    '20 [00 8a 00]',
    { type: 'CONNACK', sessionPresent: false, reasonCode: 0x8a, properties: {} },
  ],
  [
    'CONNACK 5.0 with every property',
    V5,
    "20 [00 00 [11 00000001 21 ffff 24 01 25 00 27 00000005 12 0001 'i' 22 0001 1f 0001 's' 28 00 29 01 2a 00 13 003c" +
      " 1a 0001 'r' 1c 0001 'o' 15 0001 'm' 16 0000 26 0001 'a' 0001 'b' 26 0001 'a' 0001 'c']]",
    {
      type: 'CONNACK',
      sessionPresent: false,
      reasonCode: 0,
      properties: {
        sessionExpiryInterval: 1,
        receiveMaximum: 65535,
        maximumQoS: 1,
        retainAvailable: 0,
        maximumPacketSize: 5,
        assignedClientIdentifier: 'i',
        topicAliasMaximum: 1,
        reasonString: 's',
        wildcardSubscriptionAvailable: 0,
        subscriptionIdentifiersAvailable: 1,
        sharedSubscriptionAvailable: 0,
        serverKeepAlive: 60,
        responseInformation: 'r',
        serverReference: 'o',
        authenticationMethod: 'm',
        authenticationData: new Uint8Array(0),
        userProperties: [
          ['a', 'b'],
          ['a', 'c'],
        ],
      },
    },
  ],

  ['PUBLISH QoS 0', OLD, "30 [0003 'a/b' 'hi']", { ...publish, payload: payload('hi') }],
  [
    'PUBLISH QoS 0, retained and empty',
    OLD,
    "31 [0003 'a/b']",
    { ...publish, retain: true, payload: payload('') },
  ],
  [
    'PUBLISH QoS 1',
    OLD,
    "32 [0003 'a/b' 000a 00]",
    { ...publish, qos: 1, packetId: 10, payload: Uint8Array.of(0) },
  ],
  [
    'PUBLISH QoS 2, again and retained',
    OLD,
    "3d [0003 'a/b' ffff]",
    { ...publish, qos: 2, dup: true, retain: true, packetId: 65535, payload: payload('') },
  ],
  ['PUBLISH QoS 0 5.0', V5, "30 [0003 'a/b' 00 'hi']", { ...publish, payload: payload('hi') }],
  [
    'PUBLISH with an alias for a topic',
    V5,
    '32 [0000 0001 [23 ffff]]',
    { ...publish, topic: '', qos: 1, packetId: 1, payload: payload(''), properties: { topicAlias: 65535 } },
  ],
  [
    'PUBLISH with every property',
    V5,
    "34 [0003 'a/b' 0001 [01 00 02 00000000 23 0001 08 0003 'r/s' 09 0002 0102 26 0001 'k' 0001 'v'" +
      " 0b 01 0b ffffff7f 03 0004 'text'] 'x']",
    {
      ...publish,
      qos: 2,
      packetId: 1,
      payload: payload('x'),
      properties: {
        payloadFormatIndicator: 0,
        messageExpiryInterval: 0,
        topicAlias: 1,
        responseTopic: 'r/s',
        correlationData: Uint8Array.of(1, 2),
        userProperties: [['k', 'v']],
        subscriptionIdentifiers: [1, 268435455],
        contentType: 'text',
      },
    },
  ],
  [
    'PUBLISH to a topic of all sizes of UTF-8, U+FEFF kept [MQTT-1.5.4-3]',
    OLD,
    '30 [000a 41 c3a4 efbbbf f0aa9b94]',
    { ...publish, topic: 'Aä\ufeff\u{2a6d4}', payload: payload('') },
  ],
  ['PUBLISH to a topic of one slash', OLD, "30 [0001 '/']", { ...publish, topic: '/', payload: payload('') }],

  ...(['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'] as const).flatMap((type, i): Row[] => {
    const first = ['40', '50', '62', '70'][i]
    const code = i < 2 ? 0x80 : 0x92
    return [
      [type, ALL, `${first} 02 0001`, { type, packetId: 1, reasonCode: 0, properties: {} }],
      [
        `${type}, a failure`,
        V5,
        `${first} 03 1234 ${code.toString(16)}`,
        { type, packetId: 0x1234, reasonCode: code, properties: {} },
      ],
      [
        `${type} with properties`,
        V5,
        `${first} [ffff 00 [1f 0001 'r' 26 0001 'k' 0001 'v' 26 0000 0000]]`,
        {
          type,
          packetId: 65535,
          reasonCode: 0,
          properties: {
            reasonString: 'r',
            userProperties: [
              ['k', 'v'],
              ['', ''],
            ],
          },
        },
      ],
    ]
  }),

  [
    'SUBSCRIBE 3.x',
    OLD,
    "82 [000a 0003 'a/b' 01 0003 '+/#' 02]",
    {
      type: 'SUBSCRIBE',
      packetId: 10,
      subscriptions: [
        { topicFilter: 'a/b', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        { topicFilter: '+/#', qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      properties: {},
    },
  ],
  [
    'SUBSCRIBE 3.1.1 to what 5.0 takes for a broken shared filter',
    V311,
    "82 [0001 0008 '$share/x' 00]",
    {
      type: 'SUBSCRIBE',
      packetId: 1,
      subscriptions: [
        { topicFilter: '$share/x', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      properties: {},
    },
  ],
  [
    'SUBSCRIBE 5.0 with every option and property',
    V5,
    "82 [ffff [0b ffffff7f 26 0001 'k' 0001 'v'] 0001 '#' 2e 000a '$share/g/+' 11]",
    {
      type: 'SUBSCRIBE',
      packetId: 65535,
      subscriptions: [
        { topicFilter: '#', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { topicFilter: '$share/g/+', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 1 },
      ],
      properties: { subscriptionIdentifiers: [268435455], userProperties: [['k', 'v']] },
    },
  ],
  [
    'SUBACK 3.x',
    OLD,
    '90 [0001 00 01 02 80]',
    { type: 'SUBACK', packetId: 1, reasonCodes: [0, 1, 2, 0x80], properties: {} },
  ],
  [
    'SUBACK 5.0',
    V5,
    "90 [0001 [1f 0001 's'] 00 01 02 80 83 87 8f 91]",
    {
      type: 'SUBACK',
      packetId: 1,
      reasonCodes: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91],
      properties: { reasonString: 's' },
    },
  ],
  [
    'UNSUBSCRIBE 3.x',
    OLD,
    "a2 [0001 0001 'a' 0003 'b/#']",
    { type: 'UNSUBSCRIBE', packetId: 1, topicFilters: ['a', 'b/#'], properties: {} },
  ],
  [
    'UNSUBSCRIBE 5.0',
    V5,
    "a2 [0001 [26 0001 'k' 0001 'v'] 0001 'a']",
    { type: 'UNSUBSCRIBE', packetId: 1, topicFilters: ['a'], properties: { userProperties: [['k', 'v']] } },
  ],
  ['UNSUBACK 3.x', OLD, 'b0 [0001]', { type: 'UNSUBACK', packetId: 1, reasonCodes: [], properties: {} }],
  [
    'UNSUBACK 5.0',
    V5,
    'b0 [0001 00 00 11]',
    { type: 'UNSUBACK', packetId: 1, reasonCodes: [0, 0x11], properties: {} },
  ],
  [
    'UNSUBACK 5.0 without reason codes',
    V5,
    'b0 [0001 00]',
    { type: 'UNSUBACK', packetId: 1, reasonCodes: [], properties: {} },
  ],
  ['PINGREQ', ALL, 'c0 00', { type: 'PINGREQ' }],
  ['PINGRESP', ALL, 'd0 00', { type: 'PINGRESP' }],
  ['DISCONNECT', ALL, 'e0 00', { type: 'DISCONNECT', reasonCode: 0, properties: {} }],
  ['DISCONNECT with will', V5, 'e0 [04]', { type: 'DISCONNECT', reasonCode: 4, properties: {} }],
  [
    'DISCONNECT with every property',
    V5,
    "e0 [9d [11 00000000 1f 0001 's' 1c 0001 'o' 26 0001 'k' 0001 'v']]",
    {
      type: 'DISCONNECT',
      reasonCode: 0x9d,
      properties: {
        sessionExpiryInterval: 0,
        reasonString: 's',
        serverReference: 'o',
        userProperties: [['k', 'v']],
      },
    },
  ],
  ['AUTH, success in short', V5, 'f0 00', { type: 'AUTH', reasonCode: 0, properties: {} }],
  [
    'AUTH with every property',
    V5,
    "f0 [18 [15 0001 'm' 16 0001 ff 1f 0001 's' 26 0001 'k' 0001 'v']]",
    {
      type: 'AUTH',
      reasonCode: 0x18,
      properties: {
        authenticationMethod: 'm',
        authenticationData: Uint8Array.of(0xff),
        reasonString: 's',
        userProperties: [['k', 'v']],
      },
    },
  ],
]

/** Longer forms of what is written shorter: read, but not written like that. */
const onlyRead: readonly Row[] = [
  [
    'PUBACK with its reason code 0',
    V5,
    '40 [0001 00]',
    { type: 'PUBACK', packetId: 1, reasonCode: 0, properties: {} },
  ],
  [
    'PUBREL with no properties',
    V5,
    '62 [0001 92 00]',
    { type: 'PUBREL', packetId: 1, reasonCode: 0x92, properties: {} },
  ],
  ['DISCONNECT with its reason code 0', V5, 'e0 [00]', { type: 'DISCONNECT', reasonCode: 0, properties: {} }],
  [
    'DISCONNECT with no properties',
    V5,
    'e0 [82 00]',
    { type: 'DISCONNECT', reasonCode: 0x82, properties: {} },
  ],
  [
    'CONNACK of a server that refuses in the form of 3.1.1',
    V5,
    '20 [00 01]',
    { type: 'CONNACK', sessionPresent: false, reasonCode: 0x84, properties: {} },
  ],
  [
    'CONNECT 3.1 with flags in its fixed header',
    V3,
    "14 [0006 'MQIsdp' 03 03 000a 0001 'c']",
    { ...connect, protocolVersion: 3 },
  ],
  [
    'CONNECT 3.1 whose user name and password are flagged and missing',
    V3,
    "10 [0006 'MQIsdp' 03 c2 000a 0001 'c']",
    { ...connect, protocolVersion: 3 },
  ],
  ['PUBREL 3.1 sent again', V3, '6a [0001]', { type: 'PUBREL', packetId: 1, reasonCode: 0, properties: {} }],
  [
    'User Properties apart from each other',
    V5,
    "40 [0001 00 [26 0001 'a' 0000 1f 0001 's' 26 0001 'b' 0000]]",
    {
      type: 'PUBACK',
      packetId: 1,
      reasonCode: 0,
      properties: {
        userProperties: [
          ['a', ''],
          ['b', ''],
        ],
        reasonString: 's',
      },
    },
  ],
]

const cases = (table: readonly Row[]) =>
  table.flatMap(([name, versions, bytes, packet]) =>
    versions.map((version) => ({ name, version, bytes: bytesOf(bytes), packet })),
  )

describe('Parser reads', () => {
  it.each(cases([...rows, ...onlyRead]))('$name (version $version)', ({ version, bytes, packet }) => {
    const bridge = packet.type === 'CONNECT' ? { bridge: packet.bridge ?? false } : {}
    expect(parseAll(bytes, version)).toEqual([{ ...packet, ...bridge }])
  })
})

describe('encode() writes', () => {
  it.each(cases(rows))('$name (version $version)', ({ version, bytes, packet }) => {
    expect(hex(encode(packet, version))).toBe(hex(bytes))
    expect(encodedLength(packet, version)).toBe(bytes.length)
    const buffer = new Uint8Array(bytes.length + 2).fill(0xee)
    expect(encodeInto(packet, version, buffer, 1)).toBe(bytes.length + 1)
    expect(hex(buffer)).toBe(`ee ${hex(bytes)} ee`)
  })

  it.each(cases(rows))('$name (version $version) twice alike', ({ version, bytes, packet }) => {
    encode(packet, version)
    expect(hex(encode(packet, version))).toBe(hex(bytes))
  })
})
