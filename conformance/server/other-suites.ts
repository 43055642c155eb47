import {
  frame,
  hex,
  properties,
  puback,
  publish,
  pubrec,
  suback,
  subscribe,
  uint16,
  uint32,
} from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b } from '../kit/steps.ts'

/** What suites of other brokers expect, byte by byte, where the specification leaves a choice. */
export const otherSuites: Table = {
  title: 'What other suites expect',
  rows: [
    {
      covers: [],
      versions: [5],
      name: 'CONNACK has its properties in the order of Mosquitto',
      options: { limits: { maximumPacketSize: 2_000_000, receiveMaximum: 20 } },
      steps: [a.tries(), a.expectHex('20 0e 00 00 0b 22 00 0a 27 00 1e 84 80 21 00 14')],
    },
    {
      covers: [],
      versions: [5],
      name: 'CONNACK has all it may have in one order',
      options: {
        limits: { maximumPacketSize: 2_000_000, receiveMaximum: 20, keepAlive: 60, sessionExpiryInterval: 5 },
        retainAvailable: false,
        maximumQoS: 1,
      },
      steps: [
        a.tries({ clientId: '', keepAlive: 0, session: 100, cleanStart: true }),
        a.expectThat('13 22 12 25 27 21 24 behind 11', (_packet, bytes) => {
          const order = /^20..0000..110000000513003c22000a12001d(?:..){29}250027001e84802100142401$/
          if (!order.test(bytes.toString('hex'))) throw new Error(bytes.toString('hex'))
        }),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a first packet that announces 100 MB and is no CONNECT is closed by its first byte',
      steps: [a.open(), a.send('30 80 80 80 30'), a.closed(), a.open(), a.send('c0'), a.closed()],
    },
    {
      covers: [],
      versions: [5],
      name: 'a forwarded PUBLISH has the publisher’s properties, then 02, then 23, then 0B',
      steps: [
        b.connect({ properties: { topicAliasMaximum: 5 } }),
        b.send(subscribe(1, 't', 0, { subscriptionIdentifiers: [7] })),
        b.expect(suback(1, 0)),
        a.connect(),
        a.send(frame(0x30, 't', properties(0x23, uint16(1), 0x26, 'k', 'v', 0x02, uint32(60)), hex('78'))),
        b.expectHex('30 16 00 01 74 11 26 00 01 6b 00 01 76 02 00 00 00 3c 23 00 01 0b 07 78'),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'an alias alone: no topic, and no other property than the publisher’s',
      steps: [
        b.connect({ properties: { topicAliasMaximum: 5 } }),
        b.send(subscribe(1, 't')),
        b.expect(suback(1, 0)),
        a.connect(),
        a.send(publish('t', 'x'), publish('t', 'x')),
        b.expectHex('30 08 00 01 74 03 23 00 01 78', '30 07 00 00 03 23 00 01 78'),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'the same QoS 2 PUBLISH three times in a row has three PUBRECs',
      steps: [
        a.connect(),
        a.send(subscribe(1, 'u', 2)),
        a.expect(suback(1, 2)),
        ...[1, 2, 3].map(() => a.send(publish('u', 'x', { qos: 2, packetId: 1234 }))),
        a.expectHex('50 02 04 d2', '50 02 04 d2', '50 02 04 d2'),
        a.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a client gets its own message before or behind its acknowledgement, and packet ids begin at 1 again',
      steps: [
        a.connect({ session: 100 }),
        a.send(subscribe(1, 't', 1)),
        a.expect(suback(1, 1)),
        a.send(publish('t', 'x', { qos: 1, packetId: 500 })),
        a.expectAnyOrder(publish('t', 'x', { qos: 1, packetId: 1 }), puback(500)),
        a.send(puback(1)),
        a.leaves(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.send(publish('t', 'y', { qos: 1, packetId: 500 })),
        a.expectAnyOrder(publish('t', 'y', { qos: 1, packetId: 1 }), puback(500)),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'an error packet has no property length and no Reason String',
      steps: [
        a.connect(),
        a.send(frame(0x36, 't', uint16(1), 0)),
        a.expectHex('e0 01 81'),
        a.closed(),
        a.connect(),
        a.send(publish('t', 'x', { qos: 1, packetId: 1 }), publish('t', 'x', { qos: 2, packetId: 2 })),
        a.expect(puback(1, 0x10), pubrec(2, 0x10)),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a protocol name of MQTT that is cut short, or followed by too little, is closed in silence',
      steps: ['10 02 00 00', '10 05 00 03 4d 51 54', '10 07 00 04 4d 51 54 54 04', '10 00'].flatMap(
        (digits) => [a.open(), a.send(digits), a.closed()],
      ),
    },
  ],
}
