import { disconnect, frame, hex, publish, suback, subscribe } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b, type Client, c, silence } from '../kit/steps.ts'

/** `client` listens to everything from now on. */
export function watches(client: Client) {
  return [
    client.connect(),
    client.send(subscribe(1, [{ topicFilter: '#', qos: 2, retainAsPublished: true }])),
    client.expect(suback(1, 2)),
  ]
}

/** Will messages. */
export const wills: Table = {
  title: '3.1.2.5 Wills',
  rows: [
    {
      covers: [
        '3.1.1 MQTT-3.1.2-8 server',
        '3.1.1 MQTT-3.1.2-16 server',
        '5.0 MQTT-3.1.2-7 server',
        '5.0 MQTT-3.1.2-8 server',
        '5.0 MQTT-3.1.2-14 server',
      ],
      name: 'a lost connection publishes the will, not retained, and once',
      steps: [
        ...watches(b),
        a.connect({ will: { topic: 'w', payload: 'gone' } }),
        b.nothing(),
        a.drops(),
        b.expect(publish('w', 'gone')),
        c.connect(),
        c.send(subscribe(1, 'w')),
        c.expect(suback(1, 0)),
        c.nothing(),
        b.nothing(),
      ],
    },
    ...([1, 2] as const).map((qos) => ({
      covers: ['3.1.1 MQTT-3.1.2-8 server' as const, '5.0 MQTT-3.1.2-8 server' as const],
      name: `a will of QoS ${qos} comes at that QoS`,
      steps: [
        ...watches(b),
        a.connect({ will: { topic: 'w', qos } }),
        a.drops(),
        b.expect(publish('w', 'gone', { qos, packetId: 1 })),
      ],
    })),
    {
      covers: ['3.1.1 MQTT-3.1.2-17 server', '5.0 MQTT-3.1.2-15 server'],
      name: 'a will with Will Retain is retained',
      steps: [
        a.connect({ will: { topic: 'w', retain: true } }),
        a.drops(),
        b.connect(),
        b.send(subscribe(1, 'w')),
        b.expect(suback(1, 0), publish('w', 'gone', { retain: true })),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-12 server'],
      name: 'without a will the end of a connection publishes nothing',
      steps: [...watches(b), a.connect(), a.drops(), b.nothing()],
    },
    {
      covers: [
        '3.1.1 MQTT-3.1.2-10 server',
        '3.1.1 MQTT-3.14.4-3 server',
        '5.0 MQTT-3.1.2-10 server',
        '5.0 MQTT-3.14.4-3 server',
      ],
      name: 'DISCONNECT takes the will back',
      steps: [...watches(b), a.connect({ will: { topic: 'w' } }), a.leaves(), b.nothing()],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-10 server', '5.0 MQTT-3.1.2-10 server'],
      name: 'the will of a CONNECT holds for that connection only',
      steps: [
        ...watches(b),
        a.connect({ session: 100, will: { topic: 'w' } }),
        a.drops(),
        b.expect(publish('w', 'gone')),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.drops(),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-8 server'],
      name: 'DISCONNECT 0x04, and each other code, leaves the will to be published',
      steps: ([0x04, 0x80, 0x81, 0x98] as const).flatMap((code) => [
        ...watches(b),
        a.connect({ will: { topic: 'w' } }),
        a.leaves(disconnect(code)),
        b.expect(publish('w', 'gone')),
        b.nothing(),
      ]),
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-8 server', '5.0 MQTT-3.1.2-8 server'],
      name: 'a protocol error publishes the will',
      steps: [
        ...watches(b),
        a.connect({ will: { topic: 'w' } }),
        a.send('00 00'),
        a.cutOff(0x82),
        b.expect(publish('w', 'gone')),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-8 server', '5.0 MQTT-3.1.2-8 server'],
      name: 'a malformed packet publishes the will',
      steps: [
        ...watches(b),
        a.connect({ will: { topic: 'w' } }),
        a.send(frame(0x36, 't', hex('0001'))),
        a.cutOff(0x81),
        b.expect(publish('w', 'gone')),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-8 server', '5.0 MQTT-3.1.2-8 server'],
      name: 'Keep Alive run out publishes the will',
      steps: [
        ...watches(b),
        a.connect({ keepAlive: 10, will: { topic: 'w' } }),
        silence(15),
        a.cutOff(0x8d),
        b.expect(publish('w', 'gone')),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-8 server', '5.0 MQTT-3.1.2-8 server'],
      name: 'a takeover publishes the will of the connection that is cut off',
      steps: [
        ...watches(b),
        a.connect({ session: 100, will: { topic: 'w', payload: 'first' } }),
        c.connect({ clientId: 'a', session: 100, will: { topic: 'w', payload: 'second' } }),
        a.cutOff(0x8e),
        b.expect(publish('w', 'first')),
        b.nothing(),
        c.leaves(),
        b.nothing(),
      ],
    },
  ],
}
