import { describe, expect, it } from 'vitest'
import { MalformedPacketError, Parser, ProtocolError, type ProtocolVersion } from '../src/index.ts'
import { bytesOf, drain, parseAll, thrownBy } from './bytes.ts'

type Kind = 'malformed' | 'protocol'
type Row = readonly [
  name: string,
  versions: readonly ProtocolVersion[],
  bytes: string,
  kind: Kind,
  reasonCode: number,
]

const V3 = [3] as const
const OLD = [3, 4] as const
const NEW = [4, 5] as const
const V311 = [4] as const
const V5 = [5] as const
const ALL = [3, 4, 5] as const

/** Every malformed form that the specification or its conventions know, one row each. */
const rows: readonly Row[] = [
  // 2.1 Fixed header
  ['packet type 0', ALL, '00 00', 'protocol', 0x82],
  ['packet type 0, by its first byte alone', ALL, '0a', 'protocol', 0x82],
  ['packet type 0 with a Remaining Length of five bytes', ALL, '00 80 80 80 80 01', 'protocol', 0x82],
  ['Remaining Length of five bytes', ALL, '30 80 80 80 80 01', 'malformed', 0x81],
  ['Remaining Length of five bytes, before the last came', ALL, '30 ff ff ff ff', 'malformed', 0x81],
  ['Remaining Length not in the shortest form', ALL, 'c0 80 00', 'malformed', 0x81],
  ['Remaining Length not in the shortest form of three bytes', ALL, 'c0 80 80 00', 'malformed', 0x81],
  ...['11', '12', '14', '18'].map(
    (first): Row => [
      `CONNECT with header ${first}`,
      NEW,
      `${first} [0004 'MQTT' 04 02 000a 0001 'c']`,
      'malformed',
      0x81,
    ],
  ),
  ...['21', '41', '42', '44', '48', '51', '58', '60', '63', '66', '71', '90', 'b8', 'c1', 'd2', 'e4'].flatMap(
    (first): Row[] =>
      first === '90' ? [] : [[`reserved flags ${first}`, NEW, `${first} [0001]`, 'malformed', 0x81]],
  ),
  ['PUBREL with DUP', NEW, '6a [0001]', 'malformed', 0x81],
  ['SUBSCRIBE with header 80', ALL, "80 [0001 0001 'a' 00]", 'malformed', 0x81],
  ['SUBSCRIBE with DUP', NEW, "8a [0001 0001 'a' 00]", 'malformed', 0x81],
  ['UNSUBSCRIBE with header a0', ALL, "a0 [0001 0001 'a']", 'malformed', 0x81],
  ['AUTH with flags', V5, 'f1 00', 'malformed', 0x81],
  ['AUTH before 5.0', OLD, 'f0 00', 'malformed', 0x81],

  // 3.1 CONNECT
  ['CONNECT that is empty', ALL, '10 00', 'malformed', 0x81],
  ['Protocol Name MQT', ALL, "10 [0003 'MQT' 04 02 000a 0001 'c']", 'protocol', 0x82],
  ['Protocol Name mqtt', ALL, "10 [0004 'mqtt' 04 02 000a 0001 'c']", 'protocol', 0x82],
  ['Protocol Name that is empty', ALL, "10 [0000 04 02 000a 0001 'c']", 'protocol', 0x82],
  ...['00', '02', '03', '06', '7f'].map(
    (level): Row => [
      `MQTT version ${level}`,
      ALL,
      `10 [0004 'MQTT' ${level} 02 000a 0001 'c']`,
      'protocol',
      0x84,
    ],
  ),
  ['MQIsdp version 4', ALL, "10 [0006 'MQIsdp' 04 02 000a 0001 'c']", 'protocol', 0x84],
  ['CONNECT without a version', ALL, "10 [0004 'MQTT']", 'malformed', 0x81],
  ['CONNECT without flags', ALL, "10 [0004 'MQTT' 04]", 'malformed', 0x81],
  ['CONNECT without a whole Keep Alive', ALL, "10 [0004 'MQTT' 04 02 00]", 'malformed', 0x81],
  ['CONNECT without a Client Identifier', ALL, "10 [0004 'MQTT' 04 02 000a]", 'malformed', 0x81],
  ['CONNECT 5.0 without properties', ALL, "10 [0004 'MQTT' 05 02 000a]", 'malformed', 0x81],
  ['CONNECT with the reserved flag', ALL, "10 [0004 'MQTT' 04 03 000a 0001 'c']", 'malformed', 0x81],
  ['Will QoS without a will', ALL, "10 [0004 'MQTT' 04 0a 000a 0001 'c']", 'malformed', 0x81],
  ['Will Retain without a will', ALL, "10 [0004 'MQTT' 05 22 000a 00 0001 'c']", 'malformed', 0x81],
  ['Will QoS 3', ALL, "10 [0004 'MQTT' 04 1e 000a 0001 'c' 0001 'w' 0000]", 'malformed', 0x81],
  ['a will without its topic', ALL, "10 [0004 'MQTT' 04 06 000a 0001 'c']", 'malformed', 0x81],
  ['a will without its payload', ALL, "10 [0004 'MQTT' 04 06 000a 0001 'c' 0001 'w']", 'malformed', 0x81],
  ['a will with an empty topic', ALL, "10 [0004 'MQTT' 04 06 000a 0001 'c' 0000 0000]", 'malformed', 0x81],
  [
    'a will with a wildcard',
    ALL,
    "10 [0004 'MQTT' 05 06 000a 00 0001 'c' 00 0001 '#' 0000]",
    'malformed',
    0x81,
  ],
  [
    'a will with a Response Topic that has a wildcard',
    ALL,
    "10 [0004 'MQTT' 05 06 000a 00 0001 'c' [08 0001 '+'] 0001 'w' 0000]",
    'protocol',
    0x82,
  ],
  ['a user name flagged and missing', ALL, "10 [0004 'MQTT' 04 82 000a 0001 'c']", 'malformed', 0x81],
  ['a password flagged and missing', ALL, "10 [0004 'MQTT' 04 c2 000a 0001 'c' 0001 'u']", 'malformed', 0x81],
  [
    'a password without a user name in 3.1.1',
    ALL,
    "10 [0004 'MQTT' 04 42 000a 0001 'c' 0001 'p']",
    'malformed',
    0x81,
  ],
  [
    'a password without a user name in 3.1',
    ALL,
    "10 [0006 'MQIsdp' 03 42 000a 0001 'c' 0001 'p']",
    'malformed',
    0x81,
  ],
  ['CONNECT with bytes behind it', ALL, "10 [0004 'MQTT' 04 02 000a 0001 'c' 00]", 'malformed', 0x81],
  ['a Client Identifier with U+0000', ALL, "10 [0004 'MQTT' 05 02 000a 00 0001 00]", 'malformed', 0x85],
  [
    'a Client Identifier with a surrogate',
    ALL,
    "10 [0004 'MQTT' 05 02 000a 00 0003 eda080]",
    'malformed',
    0x85,
  ],
  ['a Client Identifier with U+001F', ALL, "10 [0004 'MQTT' 04 02 000a 0001 1f]", 'malformed', 0x85],
  ['a user name with U+0000', ALL, "10 [0004 'MQTT' 04 82 000a 0001 'c' 0001 00]", 'malformed', 0x81],
  [
    'Authentication Data without a method',
    ALL,
    "10 [0004 'MQTT' 05 02 000a [16 0001 'd'] 0001 'c']",
    'protocol',
    0x82,
  ],

  // 3.2 CONNACK
  ['CONNACK that is empty', ALL, '20 00', 'malformed', 0x81],
  ['CONNACK without a code', ALL, '20 [00]', 'malformed', 0x81],
  ['CONNACK 5.0 without properties', V5, '20 [00 00]', 'malformed', 0x81],
  ...['02', '04', '08', '10', '20', '40', '80', 'ff'].map(
    (flags): Row => [`CONNACK with flags ${flags}`, ALL, `20 [${flags} 00 00]`, 'malformed', 0x81],
  ),
  ['CONNACK 3.x with bytes behind it', OLD, '20 [00 00 00]', 'malformed', 0x81],
  ['CONNACK 5.0 with bytes behind it', V5, '20 [00 00 00 00]', 'malformed', 0x81],
  ['CONNACK 3.x with return code 6', OLD, '20 [00 06]', 'protocol', 0x82],
  ['CONNACK 3.x, session present in a refusal', OLD, '20 [01 05]', 'protocol', 0x82],
  ['CONNACK 5.0, session present in a refusal', V5, '20 [01 87 00]', 'protocol', 0x82],
  ...['01', '04', '8b', '92', 'ff'].map(
    (code): Row => [`CONNACK 5.0 with reason code ${code}`, V5, `20 [00 ${code} 00]`, 'protocol', 0x82],
  ),

  // 3.3 PUBLISH
  ['PUBLISH that is empty', ALL, '30 00', 'malformed', 0x81],
  ['PUBLISH whose topic ends too soon', ALL, "30 [0002 'a']", 'malformed', 0x81],
  ['PUBLISH of QoS 3', ALL, "36 [0001 'a' 0001 00]", 'malformed', 0x81],
  ['PUBLISH of QoS 0 with DUP', ALL, "38 [0001 'a' 00]", 'malformed', 0x81],
  ['PUBLISH of QoS 1 without an identifier', ALL, "32 [0001 'a']", 'malformed', 0x81],
  ['PUBLISH of QoS 2 with half an identifier', ALL, "34 [0001 'a' 00]", 'malformed', 0x81],
  ['PUBLISH of QoS 1 with identifier 0', ALL, "32 [0001 'a' 0000 00]", 'protocol', 0x82],
  ['PUBLISH of QoS 2 with identifier 0', ALL, "34 [0001 'a' 0000 00]", 'protocol', 0x82],
  ['PUBLISH 5.0 without properties', V5, "30 [0001 'a']", 'malformed', 0x81],
  ['PUBLISH to no topic', OLD, '30 [0000]', 'malformed', 0x81],
  ['PUBLISH 5.0 to neither topic nor alias', V5, '30 [0000 00]', 'protocol', 0x82],
  ['PUBLISH to #', ALL, "30 [0001 '#' 00]", 'malformed', 0x81],
  ['PUBLISH to a/+/b', ALL, "30 [0005 'a/+/b' 00]", 'malformed', 0x81],
  ['PUBLISH with a Topic Alias of 0', V5, "30 [0001 'a' [23 0000]]", 'protocol', 0x94],
  ['PUBLISH with a Subscription Identifier of 0', V5, "30 [0001 'a' [0b 00]]", 'protocol', 0x82],
  ['PUBLISH with a Response Topic that is empty', V5, "30 [0001 'a' [08 0000]]", 'protocol', 0x82],
  ['PUBLISH with a Response Topic of #', V5, "30 [0001 'a' [08 0001 '#']]", 'protocol', 0x82],
  ['PUBLISH with payload format 2', V5, "30 [0001 'a' [01 02]]", 'protocol', 0x82],
  ['properties longer than the packet', V5, "30 [0001 'a' 05 01 00]", 'malformed', 0x81],
  ['a property longer than the properties', V5, "30 [0001 'a' 01 01 00]", 'malformed', 0x81],
  ['a property that reaches into the payload', V5, "30 [0001 'a' 04 03 0004 'abcd']", 'malformed', 0x81],
  ['Property Length not in the shortest form', V5, "30 [0001 'a' 80 00]", 'malformed', 0x81],
  ['Property Length of five bytes', V5, "30 [0001 'a' 80 80 80 80 01]", 'malformed', 0x81],

  // 1.5.4 strings, shown in a topic
  ...(
    [
      ['U+0000', '00'],
      ['a lone continuation byte', '80'],
      ['an over-long slash', 'c0af'],
      ['an over-long U+07FF', 'e09fbf'],
      ['an over-long U+FFFF', 'f08fbfbf'],
      ['U+D800', 'eda080'],
      ['U+DFFF', 'edbfbf'],
      ['beyond U+10FFFF', 'f4908080'],
      ['a byte of no UTF-8', 'ff'],
      ['a five-byte form', 'f888808080'],
      ['an end inside a character of two bytes', 'c3'],
      ['an end inside a character of three bytes', 'e282'],
      ['an end inside a character of four bytes', 'f09f98'],
      ['a character of two bytes broken off', 'c341'],
      ['a character of four bytes broken off', 'f0aa9b41'],
      ['U+0001', '01'],
      ['U+001F', '1f'],
      ['U+007F', '7f'],
      ['U+0080', 'c280'],
      ['U+009F', 'c29f'],
      ['U+FDD0', 'efb790'],
      ['U+FFFE', 'efbfbe'],
      ['U+FFFF', 'efbfbf'],
      ['U+10FFFF', 'f48fbfbf'],
    ] as const
  ).map(([name, text]): Row => {
    const length = (2 + text.length / 2).toString(16).padStart(4, '0')
    return [`a topic with ${name}`, ALL, `30 [${length} 'ab' ${text} 00]`, 'malformed', 0x81]
  }),

  // 3.4 to 3.7 acknowledgements
  ...['40', '50', '62', '70'].flatMap((first): Row[] => [
    [`${first} that is empty`, ALL, `${first} 00`, 'malformed', 0x81],
    [`${first} with half an identifier`, ALL, `${first} [00]`, 'malformed', 0x81],
    [`${first} with identifier 0`, ALL, `${first} [0000]`, 'protocol', 0x82],
    [`${first} 3.x with a reason code`, OLD, `${first} [0001 00]`, 'malformed', 0x81],
    [`${first} with reason code ff`, V5, `${first} [0001 ff 00]`, 'protocol', 0x82],
    [
      `${first} with the code of another packet`,
      V5,
      `${first} [0001 ${first < '60' ? '92' : '10'}]`,
      'protocol',
      0x82,
    ],
    [`${first} with properties missing`, V5, `${first} [0001 00 01]`, 'malformed', 0x81],
    [`${first} with bytes behind it`, V5, `${first} [0001 00 00 00]`, 'malformed', 0x81],
  ]),

  // 3.8 SUBSCRIBE and 3.10 UNSUBSCRIBE
  ['SUBSCRIBE with identifier 0', OLD, "82 [0000 0001 'a' 00]", 'malformed', 0x81],
  ['SUBSCRIBE 5.0 with identifier 0', V5, "82 [0000 00 0001 'a' 00]", 'malformed', 0x81],
  ['SUBSCRIBE with half an identifier', ALL, '82 [00]', 'malformed', 0x81],
  ['SUBSCRIBE 5.0 without properties', V5, '82 [0001]', 'malformed', 0x81],
  ['SUBSCRIBE to nothing', OLD, '82 [0001]', 'protocol', 0x82],
  ['SUBSCRIBE 5.0 to nothing', V5, '82 [0001 00]', 'protocol', 0x82],
  ['SUBSCRIBE to an empty filter', OLD, '82 [0001 0000 00]', 'malformed', 0x81],
  [
    'SUBSCRIBE 5.0 to an empty filter behind a good one',
    V5,
    "82 [0001 00 0001 'a' 00 0000 00]",
    'malformed',
    0x81,
  ],
  ['SUBSCRIBE without options', OLD, "82 [0001 0001 'a']", 'malformed', 0x81],
  ['SUBSCRIBE 5.0 without options', V5, "82 [0001 00 0001 'a']", 'malformed', 0x81],
  ['SUBSCRIBE with a byte behind it', OLD, "82 [0001 0001 'a' 00 00]", 'malformed', 0x81],
  ['SUBSCRIBE with QoS 3', OLD, "82 [0001 0001 'a' 03]", 'malformed', 0x81],
  ['SUBSCRIBE 5.0 with QoS 3', V5, "82 [0001 00 0001 'a' 03]", 'protocol', 0x82],
  ['SUBSCRIBE 5.0 with Retain Handling 3', V5, "82 [0001 00 0001 'a' 30]", 'protocol', 0x82],
  ...['04', '08', '10', '20', '40', '80'].map(
    (options): Row => [
      `SUBSCRIBE 3.x with options ${options}`,
      OLD,
      `82 [0001 0001 'a' ${options}]`,
      'malformed',
      0x81,
    ],
  ),
  ...['40', '80', 'c1', 'f0'].map(
    (options): Row => [
      `SUBSCRIBE 5.0 with options ${options}`,
      V5,
      `82 [0001 00 0001 'a' ${options}]`,
      'malformed',
      0x81,
    ],
  ),
  ['SUBSCRIBE with a Subscription Identifier of 0', V5, "82 [0001 [0b 00] 0001 'a' 00]", 'protocol', 0x82],
  [
    'SUBSCRIBE with two Subscription Identifiers',
    V5,
    "82 [0001 [0b 01 0b 02] 0001 'a' 00]",
    'protocol',
    0x82,
  ],
  [
    'SUBSCRIBE with a Subscription Identifier not in the shortest form',
    V5,
    "82 [0001 [0b 81 00] 0001 'a' 00]",
    'malformed',
    0x81,
  ],
  [
    'SUBSCRIBE with a Subscription Identifier of five bytes',
    V5,
    "82 [0001 [0b 80 80 80 80 01] 0001 'a' 00]",
    'malformed',
    0x81,
  ],
  ...['a#', '#/a', 'a/#/b', 'a/b#', '##', 'a+', '+a', 'a/b+/c', '++', 'a/+b', '#+'].flatMap(
    (filter): Row[] => {
      const field = `${filter.length.toString(16).padStart(4, '0')} '${filter}'`
      return [
        [`SUBSCRIBE to ${filter}`, OLD, `82 [0001 ${field} 00]`, 'malformed', 0x81],
        [`SUBSCRIBE 5.0 to ${filter}`, V5, `82 [0001 00 ${field} 00]`, 'malformed', 0x81],
        [`UNSUBSCRIBE from ${filter}`, OLD, `a2 [0001 ${field}]`, 'malformed', 0x81],
        [`UNSUBSCRIBE 5.0 from ${filter}`, V5, `a2 [0001 00 ${field}]`, 'malformed', 0x81],
      ]
    },
  ),
  ...(
    [
      ['$share/g', 'protocol', 0x82],
      ['$share/', 'protocol', 0x82],
      ['$share//a', 'protocol', 0x82],
      ['$share/g/', 'protocol', 0x82],
      ['$share/+/a', 'protocol', 0x82],
      ['$share/#/a', 'malformed', 0x81],
      ['$share/g#/a', 'malformed', 0x81],
      ['$share/g+/a', 'malformed', 0x81],
      ['$share/g/a#', 'malformed', 0x81],
    ] as const
  ).flatMap(([filter, kind, code]): Row[] => {
    const field = `${filter.length.toString(16).padStart(4, '0')} '${filter}'`
    return [
      [`SUBSCRIBE 5.0 to ${filter}`, V5, `82 [0001 00 ${field} 00]`, kind, code],
      [`UNSUBSCRIBE 5.0 from ${filter}`, V5, `a2 [0001 00 ${field}]`, kind, code],
    ]
  }),
  ['No Local on a Shared Subscription', V5, "82 [0001 00 000a '$share/g/a' 04]", 'protocol', 0x82],
  ['SUBSCRIBE to a filter with U+0000', OLD, '82 [0001 0001 00 00]', 'malformed', 0x81],
  ['UNSUBSCRIBE with identifier 0', OLD, "a2 [0000 0001 'a']", 'malformed', 0x81],
  ['UNSUBSCRIBE 5.0 with identifier 0', V5, "a2 [0000 00 0001 'a']", 'malformed', 0x81],
  ['UNSUBSCRIBE from nothing', OLD, 'a2 [0001]', 'protocol', 0x82],
  ['UNSUBSCRIBE 5.0 from nothing', V5, 'a2 [0001 00]', 'protocol', 0x82],
  ['UNSUBSCRIBE from an empty filter', OLD, 'a2 [0001 0000]', 'malformed', 0x81],
  ['UNSUBSCRIBE whose filter ends too soon', OLD, "a2 [0001 0002 'a']", 'malformed', 0x81],

  // 3.9 SUBACK and 3.11 UNSUBACK
  ['SUBACK with identifier 0', ALL, '90 [0000 00]', 'protocol', 0x82],
  ['SUBACK without a code', OLD, '90 [0001]', 'protocol', 0x82],
  ['SUBACK 5.0 without a code', V5, '90 [0001 00]', 'protocol', 0x82],
  ['SUBACK 3.x with code 3', OLD, '90 [0001 03]', 'protocol', 0x82],
  ['SUBACK 3.x with a code of 5.0', OLD, '90 [0001 87]', 'protocol', 0x82],
  ['SUBACK 5.0 with a code of UNSUBACK', V5, '90 [0001 00 11]', 'protocol', 0x82],
  ['UNSUBACK with identifier 0', ALL, 'b0 [0000 00]', 'protocol', 0x82],
  ['UNSUBACK 3.x with a code', OLD, 'b0 [0001 00]', 'malformed', 0x81],
  ['UNSUBACK 5.0 with a code of SUBACK', V5, 'b0 [0001 00 01]', 'protocol', 0x82],
  ['UNSUBACK 5.0 without properties', V5, 'b0 [0001]', 'malformed', 0x81],

  // 3.12 to 3.15
  ['PINGREQ with a body', ALL, 'c0 [00]', 'malformed', 0x81],
  ['PINGRESP with a body', ALL, 'd0 [00]', 'malformed', 0x81],
  ['DISCONNECT 3.x with a body', OLD, 'e0 [00]', 'malformed', 0x81],
  ['DISCONNECT with reason code 01', V5, 'e0 [01]', 'protocol', 0x82],
  ['DISCONNECT with reason code 92', V5, 'e0 [92 00]', 'protocol', 0x82],
  ['DISCONNECT with bytes behind it', V5, 'e0 [00 00 00]', 'malformed', 0x81],
  ['AUTH with a code of another packet', V5, "f0 [80 [15 0001 'm']]", 'protocol', 0x82],
  ['AUTH without properties', V5, 'f0 [18]', 'malformed', 0x81],
  ['AUTH without an Authentication Method', V5, "f0 [18 [16 0001 'd']]", 'protocol', 0x82],
  ['AUTH with an empty property field', V5, 'f0 [18 00]', 'protocol', 0x82],
  ['SUBSCRIBE 3.1 with header 86', V3, "86 [0001 0001 'a' 00]", 'malformed', 0x81],
  ['PUBLISH 3.1.1 whose topic is longer than the packet', V311, "30 [ffff 'a']", 'malformed', 0x81],
]

const cases = rows.flatMap(([name, versions, bytes, kind, reasonCode]) =>
  versions.map((version) => ({ name, version, bytes: bytesOf(bytes), kind, reasonCode })),
)

describe('Parser refuses', () => {
  it.each(cases)('$name (version $version)', ({ version, bytes, kind, reasonCode }) => {
    const refusal = {
      code: kind === 'malformed' ? 'MALFORMED_PACKET' : 'PROTOCOL_ERROR',
      reasonCode,
      message: expect.stringMatching(/\w/),
    }
    const error = thrownBy(() => parseAll(bytes, version))
    expect(error).toBeInstanceOf(kind === 'malformed' ? MalformedPacketError : ProtocolError)
    expect(error).toMatchObject(refusal)

    const parser = new Parser({ protocolVersion: version })
    const byByte = thrownBy(() => Array.from(bytes, (byte) => drain(parser, Uint8Array.of(byte))))
    expect(byByte).toMatchObject(refusal)
  })
})

describe('Parser with strict: false', () => {
  it.each([
    ['U+0001', '01', '\u0001'],
    ['U+007F', '7f', '\u007f'],
    ['U+0085', 'c285', '\u0085'],
    ['U+FFFF', 'efbfbf', '\uffff'],
  ])('takes %s, which 1.5.4 only advises against', (_name, text, topic) => {
    const length = (text.length / 2).toString(16).padStart(4, '0')
    const [packet] = parseAll(bytesOf(`30 [${length} ${text}]`), 4, { strict: false })
    expect(packet).toMatchObject({ type: 'PUBLISH', topic })
  })

  it.each([
    ['U+0000', '00'],
    ['a surrogate', 'eda080'],
    ['bad UTF-8', 'c3'],
  ])('still refuses %s', (_name, text) => {
    const length = (text.length / 2).toString(16).padStart(4, '0')
    expect(() => parseAll(bytesOf(`30 [${length} ${text}]`), 4, { strict: false })).toThrow(
      MalformedPacketError,
    )
  })
})
