import { hex, puback, publish, pubrec, suback, subscribe } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, advance, b, takes } from '../kit/steps.ts'

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

/** Message expiry, and what passes between versions. */
export const expiry: Table = {
  title: '3.3.2.3.3 Message expiry, and versions beside each other',
  rows: [
    {
      covers: ['5.0 MQTT-3.3.2-5 server', '5.0 MQTT-3.3.2-6 server'],
      name: 'a message that waits for an absent client is counted down, and deleted when its time is over',
      steps: [
        ...takes(b, 2),
        b.leaves(),
        a.connect(),
        a.send(
          publish('t', 'short', { qos: 1, packetId: 1, properties: { messageExpiryInterval: 10 } }),
          publish('t', 'long', { qos: 1, packetId: 2, properties: { messageExpiryInterval: 100 } }),
          publish('t', 'forever', { qos: 1, packetId: 3 }),
        ),
        a.expect(puback(1), puback(2), puback(3)),
        advance(30),
        b.connect({ session: 100 }, { sessionPresent: true }),
        b.expect(
          publish('t', 'long', { qos: 1, packetId: 1, properties: { messageExpiryInterval: 70 } }),
          publish('t', 'forever', { qos: 1, packetId: 2 }),
        ),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.2-5 server', '5.0 MQTT-3.3.2-6 server'],
      name: 'a message that waits for Receive Maximum expires too',
      steps: [
        b.connect({ properties: { receiveMaximum: 1 } }),
        b.send(subscribe(1, 't', 1)),
        b.expect(suback(1, 1)),
        a.connect(),
        a.send(
          publish('t', 'first', { qos: 1, packetId: 1 }),
          publish('t', 'short', { qos: 1, packetId: 2, properties: { messageExpiryInterval: 10 } }),
          publish('t', 'long', { qos: 1, packetId: 3, properties: { messageExpiryInterval: 100 } }),
        ),
        b.expect(publish('t', 'first', { qos: 1, packetId: 1 })),
        advance(11),
        b.send(puback(1)),
        b.expect(publish('t', 'long', { qos: 1, packetId: 2, properties: { messageExpiryInterval: 89 } })),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.2-6 server'],
      name: 'an interval goes out as it came when nothing waited; 0 is over at once',
      steps: [
        ...takes(b, 0),
        a.connect(),
        a.send(publish('t', 'x', { properties: { messageExpiryInterval: 1 } })),
        b.expect(publish('t', 'x', { properties: { messageExpiryInterval: 1 } })),
        a.send(publish('u', 'y', { qos: 1, packetId: 1, properties: { messageExpiryInterval: 0 } })),
        a.expect(puback(1, 0x10)),
        a.send(publish('t', 'z', { properties: { messageExpiryInterval: 0xffffffff } })),
        b.expect(publish('t', 'z', { properties: { messageExpiryInterval: 0xffffffff } })),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'what was sent and not acknowledged comes again with what is left of its interval',
      steps: [
        ...takes(b, 1),
        a.connect(),
        a.send(publish('t', 'x', { qos: 1, packetId: 1, properties: { messageExpiryInterval: 100 } })),
        b.expect(publish('t', 'x', { qos: 1, packetId: 1, properties: { messageExpiryInterval: 100 } })),
        b.drops(),
        advance(40),
        b.connect({ session: 100 }, { sessionPresent: true }),
        b.expect(
          publish('t', 'x', { qos: 1, packetId: 1, dup: true, properties: { messageExpiryInterval: 60 } }),
        ),
      ],
    },
    {
      covers: ['3.1.1 MQTT-7.0.0-2 server'],
      name: 'clients of 3.1.1 and of 5.0 see each other’s messages',
      steps: [
        a.connect({ protocolVersion: 5 }),
        a.send(subscribe(1, 't', 2)),
        a.expect(suback(1, 2)),
        b.connect({ protocolVersion: 4 }),
        b.send(subscribe(1, 't', 2)),
        b.expect(suback(1, 2)),
        a.send(publish('t', 'from 5', { qos: 1, packetId: 1, properties: everything })),
        a.expectAnyOrder(puback(1), publish('t', 'from 5', { qos: 1, packetId: 1, properties: everything })),
        b.expect(publish('t', 'from 5', { qos: 1, packetId: 1 })),
        b.send(publish('t', 'from 4')),
        a.expect(publish('t', 'from 4')),
        b.expect(publish('t', 'from 4')),
        b.send(publish('t', 'one', { qos: 1, packetId: 2 })),
        a.expect(publish('t', 'one', { qos: 1, packetId: 2 })),
      ],
    },
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'a payload that is not the UTF-8 it says it is gets 0x99, where the server checks',
      options: { checkPayloadFormat: true },
      steps: [
        ...takes(b, 2),
        a.connect(),
        a.send(publish('t', 'ü', { qos: 1, packetId: 1, properties: { payloadFormatIndicator: 1 } })),
        a.expect(puback(1)),
        b.expect(publish('t', 'ü', { qos: 1, packetId: 1, properties: { payloadFormatIndicator: 1 } })),
        a.send(publish('t', hex('ff'), { qos: 1, packetId: 2, properties: { payloadFormatIndicator: 1 } })),
        a.expect(puback(2, 0x99)),
        a.send(publish('t', hex('ff'), { qos: 2, packetId: 3, properties: { payloadFormatIndicator: 1 } })),
        a.expect(pubrec(3, 0x99)),
        b.nothing(),
      ],
    },
  ],
}
