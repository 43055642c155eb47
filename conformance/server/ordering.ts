import {
  disconnect,
  pingreq,
  pingresp,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  suback,
  subscribe,
} from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b, c } from '../kit/steps.ts'

const many = Array.from({ length: 50 }, (_, i) => i + 1)

/** Order of messages, PINGREQ and DISCONNECT. */
export const ordering: Table = {
  title: '4.6 Message ordering, 3.12 PINGREQ, 3.14 DISCONNECT',
  rows: [
    ...([0, 1, 2] as const).map((qos) => ({
      covers: [
        '3.1.1 MQTT-4.6.0-5 server' as const,
        '3.1.1 MQTT-4.6.0-6 server' as const,
        '5.0 MQTT-4.6.0-5 server' as const,
        '5.0 MQTT-4.6.0-6 server' as const,
      ],
      name: `messages of QoS ${qos} of one publisher come to each subscriber in their order`,
      steps: [
        a.connect(),
        a.send(subscribe(1, 't', qos)),
        a.expect(suback(1, qos)),
        b.connect(),
        b.send(subscribe(1, '#', 0)),
        b.expect(suback(1, 0)),
        c.connect(),
        c.send(
          ...many.flatMap((n) => [
            publish('t', `${n}`, { qos, packetId: qos === 0 ? 0 : n }),
            ...(qos === 2 ? [pubrel(n)] : []),
          ]),
        ),
        a.expect(...many.map((n) => publish('t', `${n}`, { qos, packetId: qos === 0 ? 0 : n }))),
        b.expect(...many.map((n) => publish('t', `${n}`))),
      ],
    })),
    {
      covers: ['3.1.1 MQTT-4.6.0-6 server', '5.0 MQTT-4.6.0-5 server'],
      name: 'the order holds through a reconnect: first what was sent, then what waited, then what is new',
      steps: [
        a.connect({ session: 100 }),
        a.send(subscribe(1, 't', 1)),
        a.expect(suback(1, 1)),
        c.connect(),
        c.send(...[1, 2, 3].map((n) => publish('t', `${n}`, { qos: 1, packetId: n }))),
        a.expect(...[1, 2, 3].map((n) => publish('t', `${n}`, { qos: 1, packetId: n }))),
        c.expect(puback(1), puback(2), puback(3)),
        a.send(puback(2)),
        a.drops(),
        c.send(...[4, 5].map((n) => publish('t', `${n}`, { qos: 1, packetId: n }))),
        c.expect(puback(4), puback(5)),
        a.connect({ session: 100 }, { sessionPresent: true }),
        c.send(publish('t', '6', { qos: 1, packetId: 6 })),
        a.expect(
          publish('t', '1', { qos: 1, packetId: 1, dup: true }),
          publish('t', '3', { qos: 1, packetId: 3, dup: true }),
        ),
        a.expectThat('4', payloadIs('4')),
        a.expectThat('5', payloadIs('5')),
        a.expectThat('6', payloadIs('6')),
        a.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'acknowledgements come in the order of what they answer',
      steps: [
        a.connect(),
        a.send(
          publish('t', '1', { qos: 1, packetId: 30 }),
          publish('t', '2', { qos: 1, packetId: 20 }),
          publish('t', '3', { qos: 2, packetId: 10 }),
          publish('t', '4', { qos: 2, packetId: 5 }),
          pubrel(5),
          pubrel(10),
        ),
        a.expect(
          puback(30, 0x10),
          puback(20, 0x10),
          pubrec(10, 0x10),
          pubrec(5, 0x10),
          pubcomp(5),
          pubcomp(10),
        ),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.12.4-1 server', '5.0 MQTT-3.12.4-1 server'],
      name: 'PINGREQ brings PINGRESP',
      steps: [
        a.connect(),
        a.send(pingreq),
        a.expectHex('d0 00'),
        a.send(pingreq, pingreq),
        a.expect(pingresp, pingresp),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.14.4-3 server', '5.0 MQTT-3.14.4-2 server'],
      name: 'after DISCONNECT the server closes too, and says nothing',
      steps: [
        a.connect(),
        a.leaves(),
        a.connect(),
        a.leaves(disconnect(0)),
        a.connect(),
        a.send('e0 00'),
        a.closed(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.14.2-1 server', '5.0 MQTT-3.14.4-1 server', '5.0 MQTT-3.14.4-2 server'],
      name: 'a server that shuts down says 0x8B, and closes',
      steps: [
        a.connect(),
        { name: 'the server closes', oursOnly: true, run: (world) => world.broker?.close() },
        a.expectHex('e0 01 8b'),
        a.closed(),
      ],
    },
  ],
}

function payloadIs(text: string) {
  return (packet: { type: string; payload?: Uint8Array }): void => {
    const payload = Buffer.from(packet.payload ?? []).toString()
    if (packet.type !== 'PUBLISH' || payload !== text) throw new Error(`${packet.type} "${payload}"`)
  }
}
