import { frame, puback, publish, suback, subscribe, uint16, unsuback, unsubscribe } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b } from '../kit/steps.ts'

const noProperties = (version: number): number[] => (version === 5 ? [0] : [])

/** UNSUBSCRIBE and UNSUBACK. */
export const unsubscribing: Table = {
  title: '3.10 UNSUBSCRIBE',
  rows: [
    {
      covers: ['3.1.1 MQTT-3.10.1-1 server', '5.0 MQTT-3.10.1-1 server', '3.1.1 MQTT-2.2.2-1 server'],
      not31: true,
      name: 'other flags than 2 are refused',
      steps: (version) =>
        [0xa0, 0xa1, 0xa3, 0xaa].flatMap((first) => [
          a.connect(),
          a.send(frame(first, uint16(1), ...noProperties(version), 't')),
          a.cutOff(0x81),
        ]),
    },
    {
      covers: ['3.1.1 MQTT-2.3.1-1 server'],
      name: 'identifier 0 is refused',
      versions: [4, 5],
      steps: (version) => [
        a.connect(),
        a.send(frame(0xa2, uint16(0), ...noProperties(version), 't')),
        a.cutOff(0x81),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.10.3-2 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'no Topic Filter is a Protocol Error',
      steps: (version) => [
        a.connect(),
        a.send(frame(0xa2, uint16(1), ...noProperties(version))),
        a.cutOff(0x82),
      ],
    },
    {
      covers: [
        '3.1.1 MQTT-3.10.4-4 server',
        '3.1.1 MQTT-3.10.4-5 server',
        '3.1.1 MQTT-2.3.1-7 server',
        '5.0 MQTT-3.10.4-4 server',
        '5.0 MQTT-3.10.4-5 server',
        '5.0 MQTT-2.2.1-6 server',
      ],
      name: 'is answered by UNSUBACK with its identifier, also when nothing was subscribed',
      steps: (version) => [
        a.connect(),
        a.send(unsubscribe(0xabcd, 't')),
        a.expectHex(version === 5 ? 'b0 04 ab cd 00 11' : 'b0 02 ab cd'),
        a.nothing(),
      ],
    },
    {
      covers: [
        '3.1.1 MQTT-3.10.4-6 server',
        '5.0 MQTT-3.10.4-6 server',
        '5.0 MQTT-3.11.3-1 server',
        '5.0 MQTT-3.11.3-2 server',
      ],
      name: 'many filters have the effect of one UNSUBSCRIBE each, and a code each in their order',
      steps: [
        a.connect(),
        a.send(subscribe(1, ['x', 'y', 'z'])),
        a.expect(suback(1, 0, 0, 0)),
        a.send(unsubscribe(2, 'z', 'other', 'x')),
        a.expect(unsuback(2, 0, 0x11, 0)),
        a.send(publish('x'), publish('y'), publish('z')),
        a.expect(publish('y')),
        a.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.10.4-1 server', '5.0 MQTT-3.10.4-1 server'],
      name: 'a filter is unsubscribed only by the same filter, character for character',
      steps: [
        a.connect(),
        a.send(subscribe(1, ['t/+', 'T/x', '$share/g/t/x'], 0)),
        a.expect(suback(1, 0, 0, 0)),
        a.send(unsubscribe(2, 't/x', 't/#', 't/x/', 'T/X')),
        a.expect(unsuback(2, 0x11, 0x11, 0x11, 0x11)),
        a.send(publish('T/x', '1'), publish('t/y', '2')),
        a.expect(publish('T/x', '1'), publish('t/y', '2')),
        a.send(unsubscribe(3, 't/+')),
        a.expect(unsuback(3, 0)),
        a.send(publish('t/x', '3')),
        a.expect(publish('t/x', '3')),
        a.nothing(),
        a.send(unsubscribe(4, '$share/g/t/x')),
        a.expect(unsuback(4, 0)),
        a.send(publish('t/x', '4')),
        a.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.10.4-2 server', '5.0 MQTT-3.10.4-2 server'],
      name: 'a subscription that is gone gets no further messages',
      steps: [
        a.connect(),
        a.send(subscribe(1, 't', 1)),
        a.expect(suback(1, 1)),
        a.send(unsubscribe(2, 't')),
        a.expect(unsuback(2, 0)),
        b.connect(),
        b.send(publish('t', 'x', { qos: 1, packetId: 1 })),
        b.expect(puback(1, 0x10)),
        a.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.10.4-3 server', '5.0 MQTT-3.10.4-3 server'],
      name: 'deliveries that have begun run to their end',
      steps: [
        a.connect({ session: 100 }),
        a.send(subscribe(1, 't', 2)),
        a.expect(suback(1, 2)),
        b.connect(),
        b.send(
          publish('t', 'one', { qos: 1, packetId: 1 }),
          publish('t', 'two', { qos: 2, packetId: 2 }),
          '62020002',
        ),
        a.expect(publish('t', 'one', { qos: 1, packetId: 1 }), publish('t', 'two', { qos: 2, packetId: 2 })),
        a.send(unsubscribe(2, 't')),
        a.expect(unsuback(2, 0)),
        a.send('50020002'),
        a.expectHex('62 02 00 02'),
        a.drops(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.expect(publish('t', 'one', { qos: 1, packetId: 1, dup: true })),
        a.expectHex('62 02 00 02'),
        a.send(puback(1), '70020002'),
        a.nothing(),
      ],
    },
  ],
}
