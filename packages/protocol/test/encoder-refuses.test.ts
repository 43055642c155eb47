import { describe, expect, it } from 'vitest'
import { encode, encodedLength, encodeInto, type Packet, type ProtocolVersion } from '../src/index.ts'
import { thrownBy } from './bytes.ts'

const publish = {
  type: 'PUBLISH',
  topic: 'a',
  payload: new Uint8Array(0),
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0,
}
const connect = { type: 'CONNECT', protocolVersion: 5, clientId: 'c', cleanStart: true, keepAlive: 0 }
const will = { topic: 'w', payload: new Uint8Array(0), qos: 0, retain: false }
const subscribe = { type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ topicFilter: 'a', qos: 0 }] }

/** Packets that no peer could take, as a caller without types might build them. */
const rows: readonly (readonly [name: string, version: ProtocolVersion, packet: unknown, message: RegExp])[] =
  [
    ['a topic that is no string', 4, { ...publish, topic: 7 }, /topic/],
    ['an empty topic', 4, { ...publish, topic: '' }, /Topic Name/],
    ['an empty topic without an alias', 5, { ...publish, topic: '' }, /Topic Name/],
    [
      'an empty topic beside an alias in 3.1.1',
      4,
      { ...publish, topic: '', properties: { topicAlias: 1 } },
      /Topic Name/,
    ],
    ['a topic with a wildcard', 4, { ...publish, topic: 'a/#' }, /wildcard/],
    ['a topic with U+0000', 4, { ...publish, topic: 'a\0' }, /U\+0000/],
    ['a topic with an unpaired high surrogate', 4, { ...publish, topic: 'a\ud800' }, /surrogate/],
    ['a topic with an unpaired low surrogate', 4, { ...publish, topic: '\udc00a' }, /surrogate/],
    [
      'a topic with its surrogates the wrong way round',
      4,
      { ...publish, topic: '\udc00\ud800' },
      /surrogate/,
    ],
    ['a topic of 65536 bytes', 4, { ...publish, topic: 'a'.repeat(65536) }, /65535/],
    ['a topic of 65536 bytes in two-byte characters', 4, { ...publish, topic: 'ä'.repeat(32768) }, /65535/],
    ['a payload that is text', 4, { ...publish, payload: 'text' }, /payload/],
    ['QoS 3', 4, { ...publish, qos: 3, packetId: 1 }, /qos is 3/],
    ['QoS 1.5', 4, { ...publish, qos: 1.5, packetId: 1 }, /qos/],
    ['DUP on QoS 0', 4, { ...publish, dup: true }, /dup/],
    ['QoS 1 without an identifier', 4, { ...publish, qos: 1 }, /packetId is 0/],
    ['an identifier of 65536', 4, { ...publish, qos: 1, packetId: 65536 }, /packetId/],
    ['an identifier of 1.5', 4, { ...publish, qos: 2, packetId: 1.5 }, /packetId/],
    ['a Topic Alias of 0', 5, { ...publish, properties: { topicAlias: 0 } }, /topicAlias is 0/],
    [
      'a property that does not exist',
      5,
      { ...publish, properties: { colour: 'red' } },
      /no property colour/,
    ],
    [
      'a property of another packet',
      5,
      { ...publish, properties: { reasonString: 's' } },
      /no property reasonString/,
    ],
    [
      'a Response Topic with a wildcard',
      5,
      { ...publish, properties: { responseTopic: '+' } },
      /responseTopic/,
    ],
    [
      'an expiry below 0',
      5,
      { ...publish, properties: { messageExpiryInterval: -1 } },
      /messageExpiryInterval/,
    ],
    ['an expiry of 2^32', 5, { ...publish, properties: { messageExpiryInterval: 4294967296 } }, /4294967295/],
    ['an expiry that is NaN', 5, { ...publish, properties: { messageExpiryInterval: Number.NaN } }, /NaN/],
    ['payload format 2', 5, { ...publish, properties: { payloadFormatIndicator: 2 } }, /0 to 1/],
    ['a content type that is no string', 5, { ...publish, properties: { contentType: 1 } }, /contentType/],
    ['correlation data that is text', 5, { ...publish, properties: { correlationData: 'x' } }, /Uint8Array/],
    [
      'correlation data of 65536 bytes',
      5,
      { ...publish, properties: { correlationData: new Uint8Array(65536) } },
      /65535/,
    ],
    [
      'an identifier that is no array',
      5,
      { ...publish, properties: { subscriptionIdentifiers: 1 } },
      /array/,
    ],
    [
      'a Subscription Identifier of 268435456',
      5,
      { ...publish, properties: { subscriptionIdentifiers: [268435456] } },
      /268435455/,
    ],
    ['a user property that is no pair', 5, { ...publish, properties: { userProperties: [['a']] } }, /pairs/],
    [
      'a user property of numbers',
      5,
      { ...publish, properties: { userProperties: [[1, 2]] } },
      /userProperties/,
    ],

    [
      'a reason code of another packet',
      5,
      { type: 'PUBACK', packetId: 1, reasonCode: 0x92 },
      /PUBACK has no reason code/,
    ],
    ['an acknowledgement of 0', 4, { type: 'PUBREL', packetId: 0, reasonCode: 0 }, /packetId is 0/],

    ['a version that does not exist', 5, { ...connect, protocolVersion: 6 }, /protocolVersion is 6/],
    ['a keep alive of 65536', 5, { ...connect, keepAlive: 65536 }, /keepAlive/],
    ['a keep alive below 0', 5, { ...connect, keepAlive: -1 }, /keepAlive/],
    ['a keep alive of 1.5', 5, { ...connect, keepAlive: 1.5 }, /keepAlive/],
    ['a client identifier with U+0000', 5, { ...connect, clientId: '\0' }, /clientId/],
    [
      'a password without a user name in 3.1.1',
      4,
      { ...connect, protocolVersion: 4, password: new Uint8Array(1) },
      /password/,
    ],
    ['a password that is text', 5, { ...connect, password: 'secret' }, /password takes a Uint8Array/],
    ['a password of 65536 bytes', 5, { ...connect, password: new Uint8Array(65536) }, /password/],
    [
      'Authentication Data without a method',
      5,
      { ...connect, properties: { authenticationData: new Uint8Array(1) } },
      /authenticationMethod/,
    ],
    ['a Receive Maximum of 0', 5, { ...connect, properties: { receiveMaximum: 0 } }, /receiveMaximum is 0/],
    ['a will of QoS 3', 5, { ...connect, will: { ...will, qos: 3 } }, /will: qos/],
    ['a will without a topic', 5, { ...connect, will: { ...will, topic: '' } }, /will topic/],
    [
      'a will with a wildcard',
      4,
      { ...connect, protocolVersion: 4, will: { ...will, topic: '#' } },
      /will topic/,
    ],
    [
      'a will with a Response Topic that is empty',
      5,
      { ...connect, will: { ...will, properties: { responseTopic: '' } } },
      /responseTopic/,
    ],
    [
      'a will with a payload of 65536 bytes',
      5,
      { ...connect, will: { ...will, payload: new Uint8Array(65536) } },
      /will payload/,
    ],

    [
      'CONNACK 3.1.1 with a code of 5.0',
      4,
      { type: 'CONNACK', sessionPresent: false, reasonCode: 0x87 },
      /return code/,
    ],
    [
      'CONNACK 5.0 with a code of 3.1.1',
      5,
      { type: 'CONNACK', sessionPresent: false, reasonCode: 5 },
      /reason code/,
    ],
    [
      'CONNACK, session present in a refusal',
      5,
      { type: 'CONNACK', sessionPresent: true, reasonCode: 0x87 },
      /refusal/,
    ],

    ['SUBSCRIBE to nothing', 5, { ...subscribe, subscriptions: [] }, /at least one/],
    [
      'SUBSCRIBE to an empty filter',
      4,
      { ...subscribe, subscriptions: [{ topicFilter: '', qos: 0 }] },
      /Topic Filter/,
    ],
    ['SUBSCRIBE to a#', 4, { ...subscribe, subscriptions: [{ topicFilter: 'a#', qos: 0 }] }, /#/],
    [
      'SUBSCRIBE to $share/g',
      5,
      { ...subscribe, subscriptions: [{ topicFilter: '$share/g', qos: 0 }] },
      /share/,
    ],
    ['SUBSCRIBE with QoS 3', 5, { ...subscribe, subscriptions: [{ topicFilter: 'a', qos: 3 }] }, /qos is 3/],
    [
      'SUBSCRIBE with Retain Handling 3',
      5,
      { ...subscribe, subscriptions: [{ topicFilter: 'a', qos: 0, retainHandling: 3 }] },
      /retainHandling is 3/,
    ],
    [
      'SUBSCRIBE with No Local on a shared filter',
      5,
      { ...subscribe, subscriptions: [{ topicFilter: '$share/g/a', qos: 0, noLocal: true }] },
      /noLocal/,
    ],
    [
      'SUBSCRIBE with two identifiers',
      5,
      { ...subscribe, properties: { subscriptionIdentifiers: [1, 2] } },
      /one subscriptionIdentifiers/,
    ],
    ['SUBACK without a code', 5, { type: 'SUBACK', packetId: 1, reasonCodes: [] }, /at least one/],
    [
      'SUBACK 3.1.1 with a code of 5.0',
      4,
      { type: 'SUBACK', packetId: 1, reasonCodes: [0x87] },
      /return code/,
    ],
    [
      'SUBACK 5.0 with a code of UNSUBACK',
      5,
      { type: 'SUBACK', packetId: 1, reasonCodes: [0x11] },
      /reason code/,
    ],
    [
      'UNSUBACK 5.0 with a code of SUBACK',
      5,
      { type: 'UNSUBACK', packetId: 1, reasonCodes: [1] },
      /reason code/,
    ],
    ['UNSUBSCRIBE from nothing', 5, { type: 'UNSUBSCRIBE', packetId: 1, topicFilters: [] }, /at least one/],
    ['UNSUBSCRIBE from +a', 5, { type: 'UNSUBSCRIBE', packetId: 1, topicFilters: ['+a'] }, /\+/],

    ['DISCONNECT with a code of another packet', 5, { type: 'DISCONNECT', reasonCode: 0x92 }, /reason code/],
    ['AUTH in 3.1.1', 4, { type: 'AUTH', reasonCode: 0 }, /5\.0/],
    ['AUTH that goes on without a method', 5, { type: 'AUTH', reasonCode: 0x18 }, /authenticationMethod/],
    [
      'AUTH with data and no method',
      5,
      { type: 'AUTH', reasonCode: 0, properties: { authenticationData: new Uint8Array(1) } },
      /authenticationMethod/,
    ],
  ]

describe('encode() refuses', () => {
  it.each(rows)('%s', (_name, version, value, message) => {
    const packet = value as Packet
    const error = thrownBy(() => encode(packet, version))
    expect(error instanceof RangeError || error instanceof TypeError).toBe(true)
    expect((error as Error).message).toMatch(message)
    expect(() => encodedLength(packet, version)).toThrow(message)
    const buffer = new Uint8Array(100).fill(0xee)
    expect(() => encodeInto(packet, version, buffer, 0)).toThrow(message)
    expect(buffer.every((byte) => byte === 0xee)).toBe(true)
    // Caches must not let it through the second time.
    expect(() => encodeInto(packet, version, buffer, 0)).toThrow(message)
  })

  it('a payload beyond what Remaining Length can say, before anything is allocated for it', () => {
    const payload = { length: 268435456 } as Uint8Array
    const packet = { ...publish, payload } as Packet
    expect(() => encodedLength(packet, 4)).toThrow(/268435455/)
    expect(() => encodeInto(packet, 4, new Uint8Array(10), 0)).toThrow(/268435455/)
  })
})

describe('encodeInto()', () => {
  it('throws RangeError and writes nothing when the packet does not fit', () => {
    const packets: Packet[] = [
      publish as Packet,
      { type: 'PUBACK', packetId: 1, reasonCode: 0 },
      subscribe as Packet,
    ]
    for (const packet of packets) {
      const size = encodedLength(packet, 4)
      for (let room = 0; room < size; room++) {
        const buffer = new Uint8Array(room + 3).fill(0xee)
        expect(() => encodeInto(packet, 4, buffer, 3)).toThrow(`takes ${size} bytes; ${room} are left`)
        expect(buffer.every((byte) => byte === 0xee)).toBe(true)
      }
    }
  })

  it('leaves out properties whose value is undefined', () => {
    const packet = { ...publish, properties: { contentType: undefined, userProperties: undefined } } as Packet
    expect(encode(packet, 5)).toEqual(encode(publish as Packet, 5))
  })
})
