import {
  frame,
  hex,
  pingreq,
  pingresp,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  suback,
  subscribe,
  unsuback,
  unsubscribe,
} from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b } from '../kit/steps.ts'

/** Receive Maximum and Maximum Packet Size, in both directions. */
export const flow: Table = {
  title: '4.9 Flow control, and packet sizes',
  rows: [
    {
      covers: ['5.0 MQTT-3.3.4-9 server', '5.0 MQTT-4.9.0-1 server', '5.0 MQTT-4.9.0-2 server'],
      name: 'no more QoS 1 and 2 go out than the client’s Receive Maximum; the rest waits, in its order',
      steps: [
        b.connect({ properties: { receiveMaximum: 2 } }),
        b.send(subscribe(1, 't', 2)),
        b.expect(suback(1, 2)),
        a.connect(),
        a.send(
          publish('t', '1', { qos: 1, packetId: 1 }),
          publish('t', '2', { qos: 2, packetId: 2 }),
          pubrel(2),
          publish('t', '3', { qos: 1, packetId: 3 }),
          publish('t', '4', { qos: 1, packetId: 4 }),
        ),
        a.expect(puback(1), pubrec(2), pubcomp(2), puback(3), puback(4)),
        b.expect(publish('t', '1', { qos: 1, packetId: 1 }), publish('t', '2', { qos: 2, packetId: 2 })),
        b.nothing(),
        b.send(pubrec(2)),
        b.expect(pubrel(2)),
        b.nothing(),
        b.send(pubcomp(2)),
        b.expect(publish('t', '3', { qos: 1, packetId: 3 })),
        b.nothing(),
        b.send(puback(1)),
        b.expect(publish('t', '4', { qos: 1, packetId: 4 })),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.4-10 server', '5.0 MQTT-4.9.0-3 server'],
      name: 'at that limit all else is answered, and QoS 0 goes through',
      steps: [
        b.connect({ properties: { receiveMaximum: 1 } }),
        b.send(subscribe(1, 't', 1)),
        b.expect(suback(1, 1)),
        a.connect(),
        a.send(
          publish('t', '1', { qos: 1, packetId: 1 }),
          publish('t', '2', { qos: 1, packetId: 2 }),
          publish('t', '0'),
        ),
        b.expect(publish('t', '1', { qos: 1, packetId: 1 }), publish('t', '0')),
        b.send(
          pingreq,
          subscribe(2, 'u'),
          unsubscribe(3, 'u'),
          publish('v', 'x', { qos: 2, packetId: 9 }),
          pubrel(9),
        ),
        b.expect(pingresp, suback(2, 0), unsuback(3, 0), pubrec(9, 0x10), pubcomp(9)),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-4.9.0-2 server', '5.0 MQTT-4.4.0-2 server'],
      name: 'a PUBREC of 0x80 or above gives room for the next one',
      steps: [
        b.connect({ properties: { receiveMaximum: 1 } }),
        b.send(subscribe(1, 't', 2)),
        b.expect(suback(1, 2)),
        a.connect(),
        a.send(
          publish('t', '1', { qos: 2, packetId: 1 }),
          pubrel(1),
          publish('t', '2', { qos: 1, packetId: 2 }),
        ),
        b.expect(publish('t', '1', { qos: 2, packetId: 1 })),
        b.nothing(),
        b.send(pubrec(1, 0x80)),
        b.expect(publish('t', '2', { qos: 1, packetId: 2 })),
      ],
    },
    {
      covers: ['5.0 MQTT-4.9.0-1 server'],
      name: 'what is unacknowledged on the next connection counts against the Receive Maximum of that one',
      steps: [
        b.connect({ session: 100 }),
        b.send(subscribe(1, 't', 1)),
        b.expect(suback(1, 1)),
        a.connect(),
        a.send(...[1, 2, 3].map((n) => publish('t', `${n}`, { qos: 1, packetId: n }))),
        b.expect(...[1, 2, 3].map((n) => publish('t', `${n}`, { qos: 1, packetId: n }))),
        b.drops(),
        b.connect({ session: 100, properties: { receiveMaximum: 1 } }, { sessionPresent: true }),
        b.expect(publish('t', '1', { qos: 1, packetId: 1, dup: true })),
        b.nothing(),
        b.send(puback(1)),
        b.expect(publish('t', '2', { qos: 1, packetId: 2, dup: true })),
        b.nothing(),
        b.send(puback(2)),
        b.expect(publish('t', '3', { qos: 1, packetId: 3, dup: true })),
        b.send(puback(3)),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'a client beyond our Receive Maximum gets 0x93; one at it does not',
      options: { limits: { receiveMaximum: 2 } },
      steps: [
        a.connect({}, { properties: { receiveMaximum: 2 } }),
        a.send(publish('t', '1', { qos: 2, packetId: 1 }), publish('t', '2', { qos: 2, packetId: 2 })),
        a.expect(pubrec(1, 0x10), pubrec(2, 0x10)),
        a.send(pubrel(1)),
        a.expect(pubcomp(1)),
        a.send(publish('t', '3', { qos: 2, packetId: 3 })),
        a.expect(pubrec(3, 0x10)),
        a.send(publish('t', '4', { qos: 2, packetId: 4 })),
        a.cutOff(0x93),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'Receive Maximum 0 is refused',
      steps: [
        a.tries(),
        a.expectThat('CONNACK', () => {}),
        b.open(),
        b.send(connectWith('21 0000')),
        b.refused(0x82),
      ],
    },
  ],
}

function connectWith(digits: string): Uint8Array {
  const own = hex(digits)
  return frame(0x10, 'MQTT', 5, 2, 0, 0, own.length, own, 'b')
}
