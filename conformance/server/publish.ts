import {
  frame,
  hex,
  properties,
  puback,
  publish,
  suback,
  subscribe,
  text,
  uint16,
  uint32,
} from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b, c, takes } from '../kit/steps.ts'

const everything = {
  payloadFormatIndicator: 1,
  contentType: 'text/plain; ü',
  responseTopic: 'answers/ä',
  correlationData: hex('00ff80'),
  userProperties: [
    ['z', '1'],
    ['a', '2'],
    ['z', '3'],
    ['', ''],
  ],
} as const

/** PUBLISH: what goes through, and how. */
export const publishing: Table = {
  title: '3.3 PUBLISH',
  rows: [
    {
      covers: ['3.1.1 MQTT-3.3.1-4 server', '5.0 MQTT-3.3.1-4 server', '3.1.1 MQTT-4.8.0-1 server'],
      name: 'QoS 3 is refused',
      steps: (version) => [
        a.connect(),
        a.send(frame(0x36, 't', uint16(1), ...(version === 5 ? [0] : []), hex('78'))),
        a.cutOff(0x81),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.3.1-2 server', '5.0 MQTT-3.3.1-2 server'],
      name: 'DUP at QoS 0 is refused, and never sent',
      steps: (version) => [
        a.connect(),
        a.send(frame(0x38, 't', ...(version === 5 ? [0] : []))),
        a.cutOff(0x81),
        ...takes(b, 0),
        c.connect(),
        c.send(publish('t', 'x', { qos: 1, packetId: 1, dup: true })),
        c.expect(puback(1)),
        b.expect(publish('t', 'x')),
      ],
    },
    {
      covers: ['3.1.1 MQTT-2.3.1-5 server', '5.0 MQTT-2.2.1-2 server', '5.0 MQTT-2.2.2-1 server'],
      name: 'at QoS 0 there is no identifier, and without properties their length is 0',
      steps: (version) => [
        ...takes(b, 0),
        b.send(publish('t', 'xy')),
        b.expectHex(version === 5 ? '30 06 00 01 74 00 78 79' : '30 05 00 01 74 78 79'),
        b.send(publish('t', 'xy', { qos: 1, packetId: 9 })),
        b.expectAnyOrder(puback(9), publish('t', 'xy')),
      ],
    },
    {
      covers: ['3.1.1 MQTT-2.3.1-1 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'identifier 0 is refused',
      steps: (version) =>
        [0x32, 0x34].flatMap((first) => [
          a.connect(),
          a.send(frame(first, 't', uint16(0), ...(version === 5 ? [0] : []), hex('78'))),
          a.cutOff(0x82),
        ]),
    },
    {
      covers: ['3.1.1 MQTT-3.3.2-1 server', '5.0 MQTT-3.3.2-1 server'],
      name: 'a Topic Name that is no UTF-8 is refused',
      steps: (version) =>
        ['ff', 'c328', 'eda080', 'e282', 'f0808080', 'c080'].flatMap((digits) => [
          a.connect(),
          a.send(frame(0x30, text(hex(digits)), ...(version === 5 ? [0] : []), hex('78'))),
          a.cutOff(0x81),
        ]),
    },
    {
      covers: [
        '3.1.1 MQTT-3.3.2-2 server',
        '5.0 MQTT-3.3.2-2 server',
        '3.1.1 MQTT-4.7.1-1 server',
        '5.0 MQTT-4.7.0-1 server',
      ],
      name: 'a wildcard in a Topic Name is refused',
      steps: (version) =>
        ['#', '+', 'a/#', 'a/+/b', 'a+', 'a#b'].flatMap((topic) => [
          a.connect(),
          a.send(frame(0x30, topic, ...(version === 5 ? [0] : []), hex('78'))),
          a.cutOff(0x81),
        ]),
    },
    {
      covers: ['3.1.1 MQTT-3.3.2-3 server', '5.0 MQTT-3.3.2-3 server'],
      name: 'goes to those whose filter matches, and to no one else',
      steps: [
        ...takes(b, 0, 'sport/+/player1'),
        ...takes(c, 0, 'sport/tennis/#'),
        a.connect(),
        a.send(
          publish('sport/tennis', '1'),
          publish('sport/tennis/player1', '2'),
          publish('sport/golf/player1', '3'),
          publish('sport/tennis/player1/score', '4'),
          publish('sport', '5'),
        ),
        b.expect(publish('sport/tennis/player1', '2'), publish('sport/golf/player1', '3')),
        b.nothing(),
        c.expect(
          publish('sport/tennis', '1'),
          publish('sport/tennis/player1', '2'),
          publish('sport/tennis/player1/score', '4'),
        ),
        c.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a payload of no bytes, and one of a megabyte, go through as they are',
      steps: [
        ...takes(b, 0),
        a.connect(),
        a.send(publish('t', ''), publish('t', 'm'.repeat(1_000_000)), publish('t', hex('00ff00ff'))),
        b.expect(publish('t', ''), publish('t', 'm'.repeat(1_000_000)), publish('t', hex('00ff00ff'))),
      ],
    },
    {
      covers: [
        '5.0 MQTT-3.3.2-4 server',
        '5.0 MQTT-3.3.2-15 server',
        '5.0 MQTT-3.3.2-16 server',
        '5.0 MQTT-3.3.2-17 server',
        '5.0 MQTT-3.3.2-18 server',
        '5.0 MQTT-3.3.2-20 server',
        '5.0 MQTT-1.5.7-1 server',
      ],
      name: 'every subscriber gets the properties as the publisher wrote them, User Properties in their order',
      steps: ([0, 1, 2] as const).flatMap((qos) => [
        b.connect(),
        b.send(subscribe(1, 't', 2)),
        b.expect(suback(1, 2)),
        c.connect(),
        c.send(subscribe(1, 't', 0)),
        c.expect(suback(1, 0)),
        a.connect(),
        a.send(
          publish('t', 'x', { qos, packetId: qos && 1, properties: everything }),
          ...(qos === 2 ? ['62020001'] : []),
        ),
        b.expect(publish('t', 'x', { qos, packetId: qos && 1, properties: everything })),
        c.expect(publish('t', 'x', { properties: everything })),
      ]),
    },
    {
      covers: ['5.0 MQTT-3.3.2-4 server'],
      name: 'a Payload Format Indicator of 0 is sent on as well, and none is added',
      steps: [
        ...takes(b, 0),
        a.connect(),
        a.send(publish('t', 'x', { properties: { payloadFormatIndicator: 0 } }), publish('t', 'x')),
        b.expect(publish('t', 'x', { properties: { payloadFormatIndicator: 0 } }), publish('t', 'x')),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'properties go out in the order in which they came, what the server adds behind them',
      steps: [
        ...takes(b, 0),
        a.connect(),
        a.send(
          frame(
            0x30,
            't',
            properties(0x26, 'k', 'v', 0x02, uint32(60), 0x03, 'c', 0x26, 'l', 'w', 0x01, 1),
            hex('78'),
          ),
        ),
        b.expect(
          publish('t', 'x', {
            properties: {
              userProperties: [
                ['k', 'v'],
                ['l', 'w'],
              ],
              messageExpiryInterval: 60,
              contentType: 'c',
              payloadFormatIndicator: 1,
            },
          }),
        ),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.2-13 server', '5.0 MQTT-3.3.2-14 server'],
      name: 'a Response Topic that is no UTF-8, or has wildcards, is refused',
      steps: [
        ...['#', 'a/+', ''].flatMap((topic) => [
          a.connect(),
          a.send(frame(0x30, 't', properties(0x08, topic), hex('78'))),
          a.cutOff(0x82),
        ]),
        a.connect(),
        a.send(frame(0x30, 't', properties(0x08, text(hex('c328'))), hex('78'))),
        a.cutOff(0x81),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.2-19 server', '5.0 MQTT-1.5.7-1 server'],
      name: 'a Content Type or User Property that is no UTF-8 is refused',
      steps: [
        properties(0x03, text(hex('c328'))),
        properties(0x26, text(hex('ff')), 'v'),
        properties(0x26, 'k', text(hex('eda080'))),
        properties(0x26, 'k', text(hex('00'))),
      ].flatMap((wrong) => [a.connect(), a.send(frame(0x30, 't', wrong, hex('78'))), a.cutOff(0x81)]),
    },
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'a Subscription Identifier from a client is refused',
      steps: [a.connect(), a.send(frame(0x30, 't', properties(0x0b, 1), hex('78'))), a.cutOff(0x82)],
    },
  ],
}
