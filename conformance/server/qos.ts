import { puback, pubcomp, publish, pubrec, pubrel, subscribe } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b, takes } from '../kit/steps.ts'

/** QoS 1 and 2 in both directions, duplicates and redelivery. */
export const qos: Table = {
  title: '4.3 and 4.4 Quality of Service',
  rows: [
    {
      covers: [
        '3.1.1 MQTT-3.3.4-1 server',
        '5.0 MQTT-3.3.4-1 server',
        '5.0 MQTT-4.3.1-1 server',
        '3.1.1 MQTT-4.3.1-1 server',
      ],
      name: 'QoS 0 has no response, and comes with QoS 0 and DUP 0',
      steps: [
        ...takes(b, 2),
        a.connect(),
        a.send(publish('t', 'x')),
        b.expectThat('30…', first(0x30)),
        a.nothing(),
      ],
    },
    {
      covers: [
        '3.1.1 MQTT-3.3.4-1 server',
        '3.1.1 MQTT-2.3.1-6 server',
        '3.1.1 MQTT-4.3.2-2 server',
        '5.0 MQTT-3.3.4-1 server',
        '5.0 MQTT-2.2.1-5 server',
        '5.0 MQTT-4.3.2-4 server',
        '5.0 MQTT-4.3.2-5 server',
      ],
      name: 'QoS 1 is answered by PUBACK, and its identifier is free from then on: DUP does not matter',
      steps: [
        ...takes(b, 1),
        a.connect(),
        a.send(publish('t', 'one', { qos: 1, packetId: 700 })),
        a.expect(puback(700)),
        b.expect(publish('t', 'one', { qos: 1, packetId: 1 })),
        a.send(publish('t', 'two', { qos: 1, packetId: 700, dup: true })),
        a.expect(puback(700)),
        b.expect(publish('t', 'two', { qos: 1, packetId: 2 })),
      ],
    },
    {
      covers: ['5.0 MQTT-3.4.2-1 server', '5.0 MQTT-3.5.2-1 server', '5.0 MQTT-2.2.2-1 server'],
      name: 'PUBACK and PUBREC say 0x10 where no one was subscribed, and are short where all is well',
      steps: [
        a.connect(),
        a.send(publish('t', 'x', { qos: 1, packetId: 1 }), publish('t', 'x', { qos: 2, packetId: 2 })),
        a.expectHex('40 03 00 01 10', '50 03 00 02 10'),
        a.send(subscribe(3, 't', 0)),
        a.expectHex('90 04 00 03 00 00'),
        a.send(publish('t', 'x', { qos: 1, packetId: 4 })),
        a.expectAnyOrder(puback(4), publish('t', 'x')),
      ],
    },
    {
      covers: [
        '3.1.1 MQTT-3.3.4-1 server',
        '3.1.1 MQTT-2.3.1-6 server',
        '3.1.1 MQTT-4.3.3-2 server',
        '5.0 MQTT-3.3.4-1 server',
        '5.0 MQTT-2.2.1-5 server',
        '5.0 MQTT-4.3.3-8 server',
        '5.0 MQTT-4.3.3-11 server',
        '5.0 MQTT-4.3.3-12 server',
        '5.0 MQTT-3.7.2-1 server',
      ],
      name: 'QoS 2 is answered by PUBREC, delivered at PUBREL, ended by PUBCOMP; then its identifier is free',
      steps: [1, 2].flatMap((n) => [
        ...takes(b, 2),
        a.connect(),
        a.send(publish('t', 'x', { qos: 2, packetId: 600 })),
        a.expect(pubrec(600)),
        b.nothing(),
        a.send(pubrel(600)),
        a.expect(pubcomp(600)),
        b.expect(publish('t', 'x', { qos: 2, packetId: 1 })),
        b.send(pubrec(1)),
        b.expect(pubrel(1)),
        b.send(pubcomp(1)),
        b.nothing(),
        a.send(publish('t', `again ${n}`, { qos: 2, packetId: 600 }), pubrel(600)),
        a.expect(pubrec(600), pubcomp(600)),
        b.expect(publish('t', `again ${n}`, { qos: 2, packetId: 2 })),
        b.send(pubrec(2)),
        b.expect(pubrel(2)),
        b.send(pubcomp(2)),
        b.nothing(),
      ]),
    },
    {
      covers: ['3.1.1 MQTT-4.3.3-2 server', '5.0 MQTT-4.3.3-10 server'],
      name: 'copies of a QoS 2 message are each answered by PUBREC, and one is delivered',
      steps: [
        ...takes(b, 1),
        a.connect(),
        a.send(publish('t', 'x', { qos: 2, packetId: 5 })),
        a.expect(pubrec(5)),
        a.send(publish('t', 'x', { qos: 2, packetId: 5, dup: true })),
        a.expect(pubrec(5)),
        a.send(publish('t', 'other', { qos: 2, packetId: 5 })),
        a.expect(pubrec(5)),
        a.send(pubrel(5)),
        a.expect(pubcomp(5)),
        b.expect(publish('t', 'x', { qos: 1, packetId: 1 })),
        b.nothing(),
      ],
    },
    {
      covers: [
        '3.1.1 MQTT-4.3.3-2 server',
        '3.1.1 MQTT-3.1.2-4 server',
        '5.0 MQTT-4.3.3-10 server',
        '5.0 MQTT-4.1.0-1 server',
      ],
      name: 'a copy of a QoS 2 message is one on the next connection of its session too',
      steps: [
        ...takes(b, 2),
        a.connect({ session: 100 }),
        a.send(publish('t', 'x', { qos: 2, packetId: 5 })),
        a.expect(pubrec(5)),
        a.drops(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.send(publish('t', 'x', { qos: 2, packetId: 5, dup: true })),
        a.expect(pubrec(5)),
        a.send(pubrel(5)),
        a.expect(pubcomp(5)),
        b.expect(publish('t', 'x', { qos: 2, packetId: 1 })),
        b.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-4.3.3-2 server', '5.0 MQTT-4.3.3-11 server'],
      name: 'PUBREL comes on the next connection: the message is delivered once',
      steps: [
        ...takes(b, 2),
        a.connect({ session: 100 }),
        a.send(publish('t', 'x', { qos: 2, packetId: 5 })),
        a.expect(pubrec(5)),
        a.leaves(),
        b.nothing(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.send(pubrel(5)),
        a.expect(pubcomp(5)),
        a.send(pubrel(5)),
        a.expectThat('PUBCOMP', ({ type }) => {
          if (type !== 'PUBCOMP') throw new Error(type)
        }),
        b.expect(publish('t', 'x', { qos: 2, packetId: 1 })),
        b.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a PUBREL that no one waits for is answered by a short PUBCOMP',
      steps: [
        a.connect(),
        a.send('62 02 00 09'),
        a.expectHex('70 02 00 09'),
        {
          name: 'a says in 5.0 that it does not know it either',
          run: async (world) => {
            if (world.version < 5) return
            await a.send('62 03 00 09 92').run(world)
            await a.expectHex('70 02 00 09').run(world)
          },
        },
        a.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'an acknowledgement that no one waits for ends nothing',
      steps: [a.connect(), a.send(puback(9), pubcomp(10)), a.nothing()],
    },
  ],
}

function first(byte: number) {
  return (_packet: unknown, bytes: Buffer): void => {
    if (bytes[0] !== byte) throw new Error(bytes.toString('hex'))
  }
}
