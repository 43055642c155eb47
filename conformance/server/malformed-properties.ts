import {
  bytes,
  connectFrame,
  disconnect,
  frame,
  hex,
  properties,
  publish,
  suback,
  subscribe,
  text,
  uint16,
  uint32,
} from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a } from '../kit/steps.ts'

const noProperties = (version: number): number[] => (version === 5 ? [0] : [])

/** Properties that no correct client sends, and what comes behind a fault. */
export const malformedProperties: Table = {
  title: '4.13 Malformed properties',
  rows: [
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'unknown properties, and those that do not fit their length, are malformed',
      steps: [
        properties(0x04, 1),
        properties(0x7f, 1),
        properties(hex('8001'), 1),
        properties(0x01),
        properties(0x02, hex('000000')),
        properties(0x03, hex('000561')),
        hex('05 01 01'),
        hex('ff ff ff ff 01'),
      ].flatMap((wrong) => [a.connect(), a.send(frame(0x30, 't', wrong)), a.cutOff(0x81)]),
    },
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'properties that stand twice, elsewhere, or with a value that does not exist, are Protocol Errors',
      steps: [
        properties(0x01, 1, 0x01, 1),
        properties(0x02, uint32(1), 0x02, uint32(1)),
        properties(0x03, 'a', 0x03, 'b'),
        properties(0x08, 'a', 0x08, 'b'),
        properties(0x09, 'a', 0x09, 'b'),
        properties(0x23, uint16(1), 0x23, uint16(1)),
        properties(0x01, 2),
        properties(0x11, uint32(1)),
        properties(0x21, uint16(1)),
        properties(0x1f, 'why'),
      ].flatMap((wrong) => [a.connect(), a.send(frame(0x30, 't', wrong, hex('78'))), a.cutOff(0x82)]),
    },
    {
      covers: [],
      versions: [5],
      name: 'properties that do not belong into SUBSCRIBE and UNSUBSCRIBE are malformed',
      steps: [
        a.connect(),
        a.send(frame(0x82, uint16(1), properties(0x01, 1), 't', 0)),
        a.cutOff(0x81),
        a.connect(),
        a.send(frame(0xa2, uint16(1), properties(0x0b, 1), 't')),
        a.cutOff(0x81),
      ],
    },
    {
      covers: ['5.0 MQTT-3.2.2-8 server', '5.0 MQTT-3.2.2-7 server', '5.0 MQTT-4.13.2-1 server'],
      name: 'CONNECT with properties that are wrong is refused with the code for it',
      steps: (
        [
          [0x81, properties(0x04, 1)],
          [0x81, properties(0x21, 0)],
          [0x81, hex('7f 21 00 01')],
          [0x82, properties(0x21, uint16(1), 0x21, uint16(1))],
          [0x82, properties(0x21, uint16(0))],
          [0x82, properties(0x27, uint32(0))],
          [0x82, properties(0x17, 2)],
          [0x82, properties(0x19, 2)],
          [0x82, properties(0x01, 1)],
          [0x82, properties(0x23, uint16(1))],
          [0x82, properties(0x16, 'data')],
        ] as const
      ).flatMap(([code, wrong]) => [
        a.open(),
        a.send(connectFrame(5, { properties: wrong })),
        a.refused(code),
      ]),
    },
    {
      covers: ['5.0 MQTT-3.2.2-7 server'],
      name: 'a will with properties that are wrong is refused with the code for it',
      steps: (
        [
          [0x81, properties(0x04, 1)],
          [0x82, properties(0x18, uint32(1), 0x18, uint32(1))],
          [0x82, properties(0x11, uint32(1))],
          [0x82, properties(0x01, 2)],
          [0x82, properties(0x08, 'a/#')],
          [0x82, properties(0x08, '')],
        ] as const
      ).flatMap(([code, wrong]) => [
        a.open(),
        a.send(connectFrame(5, { flags: 0x06, payload: ['a', wrong, 'w', 'p'] })),
        a.refused(code),
      ]),
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a packet in many pieces, and many packets in one, are the same packets',
      steps: (version) => [
        a.connect(),
        ...[...frame(0x82, uint16(1), ...noProperties(version), 't', 0)].map((byte) =>
          a.send(Buffer.from([byte])),
        ),
        a.expect(suback(1, 0)),
        a.send(
          bytes(
            frame(0x30, 't', ...noProperties(version), hex('31')),
            frame(0x82, uint16(2), ...noProperties(version), 'u', 0),
            hex('c000'),
            frame(0x30, 't', ...noProperties(version), hex('32')),
          ),
        ),
        a.expect(publish('t', '1'), suback(2, 0), { type: 'PINGRESP' }, publish('t', '2')),
      ],
    },
    {
      covers: ['5.0 MQTT-3.14.4-1 server', '5.0 MQTT-3.14.4-2 server', '5.0 MQTT-3.14.2-2 server'],
      name: 'what came behind the fault is not processed; DISCONNECT is the last packet, then the server closes',
      steps: [
        a.connect({ session: 100 }),
        a.send(bytes(frame(0x36, 't', uint16(1), 0), frame(0x82, uint16(1), 0, 't', 0), hex('c000'))),
        a.expectHex('e0 01 81'),
        a.closed(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.send(publish('t', 'x')),
        a.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'what came behind DISCONNECT is not processed',
      steps: (version) => [
        a.connect({ session: 100 }),
        a.send(bytes(hex('e000'), frame(0x82, uint16(1), ...noProperties(version), 't', 0))),
        a.closed(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.send(publish('t', 'x')),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.14.2-1 server'],
      name: 'DISCONNECT may have properties: a reason, one from the list of the client',
      steps: [
        a.connect(),
        a.leaves(disconnect(0x04, { reasonString: 'lunch', userProperties: [['a', 'b']] })),
        a.connect(),
        a.send(frame(0xe0, 0, properties(0x26, 'a', text(hex('ff'))))),
        a.cutOff(0x81),
        a.connect(),
        a.send(frame(0xe0, 0, properties(0x1f, 'a', 0x1f, 'b'))),
        a.cutOff(0x82),
        a.connect(),
        a.send(frame(0xe0, 0, properties(0x1c, 'elsewhere'))),
        a.closed(),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'user properties of SUBSCRIBE, UNSUBSCRIBE, PUBACK and CONNECT are taken and not passed on',
      steps: [
        a.connect({ properties: { userProperties: [['a', 'b']] } }, { properties: {} }),
        a.send(subscribe(1, 't', 0, { userProperties: [['a', 'b']] })),
        a.expect(suback(1, 0)),
        a.send(publish('t', 'x')),
        a.expect(publish('t', 'x')),
      ],
    },
  ],
}
