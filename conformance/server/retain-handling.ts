import {
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
import { a, advance, b, c } from '../kit/steps.ts'

const kept = publish('t', 'kept', { retain: true })

/** Retain Handling, and how retained messages come. */
export const retainHandling: Table = {
  title: '3.8.3.1 Retain Handling',
  rows: [
    {
      covers: ['5.0 MQTT-3.3.1-9 server', '5.0 MQTT-3.8.4-4 server', '3.1.1 MQTT-3.8.4-3 server'],
      name: 'Retain Handling 0: it comes with each SUBSCRIBE',
      steps: [
        a.connect(),
        a.send(kept, subscribe(1, 't')),
        a.expect(suback(1, 0), kept),
        a.send(subscribe(2, 't')),
        a.expect(suback(2, 0), kept),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.1-10 server'],
      name: 'Retain Handling 1: it comes only with a subscription that was not there before',
      steps: [
        a.connect({ session: 100 }),
        a.send(kept, subscribe(1, [{ topicFilter: 't', qos: 0, retainHandling: 1 }])),
        a.expect(suback(1, 0), kept),
        a.send(subscribe(2, [{ topicFilter: 't', qos: 1, retainHandling: 1 }])),
        a.expect(suback(2, 1)),
        a.nothing(),
        a.leaves(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.send(subscribe(3, [{ topicFilter: 't', qos: 0, retainHandling: 1 }])),
        a.expect(suback(3, 0)),
        a.nothing(),
        a.send(unsubscribe(4, 't')),
        a.expect(unsuback(4, 0)),
        a.send(subscribe(5, [{ topicFilter: 't', qos: 0, retainHandling: 1 }])),
        a.expect(suback(5, 0), kept),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.1-11 server'],
      name: 'Retain Handling 2: it does not come',
      steps: [
        a.connect(),
        a.send(kept, subscribe(1, [{ topicFilter: 't', qos: 0, retainHandling: 2 }])),
        a.expect(suback(1, 0)),
        a.nothing(),
        a.send(publish('t', 'new', { retain: true })),
        a.expect(publish('t', 'new')),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.1-9 server'],
      name: 'each filter of one SUBSCRIBE brings its own retained messages, by its own Retain Handling',
      steps: [
        a.connect(),
        a.send(
          publish('t/1', 'one', { retain: true }),
          publish('t/2', 'two', { retain: true }),
          subscribe(1, [
            { topicFilter: 't/1', qos: 0, retainHandling: 2 },
            { topicFilter: 't/2', qos: 0, retainHandling: 0 },
          ]),
        ),
        a.expect(suback(1, 0, 0), publish('t/2', 'two', { retain: true })),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.4-3 server'],
      name: 'a retained message carries the identifier of the subscription that brought it',
      steps: [
        a.connect(),
        a.send(kept, subscribe(1, 't', 0, { subscriptionIdentifiers: [7] })),
        a.expect(
          suback(1, 0),
          publish('t', 'kept', { retain: true, properties: { subscriptionIdentifiers: [7] } }),
        ),
      ],
    },
    {
      covers: ['5.0 MQTT-3.10.4-2 server'],
      name: 'UNSUBSCRIBE stops retained messages that still wait to be sent',
      steps: [
        a.connect(),
        a.send(...[1, 2, 3].map((n) => publish(`t/${n}`, 'x', { retain: true, qos: 1, packetId: n }))),
        a.expect(...[1, 2, 3].map((n) => puback(n, 0x10))),
        b.connect({ properties: { receiveMaximum: 1 } }),
        b.send(subscribe(1, 't/+', 1)),
        b.expect(suback(1, 1), publish('t/1', 'x', { retain: true, qos: 1, packetId: 1 })),
        b.send(unsubscribe(2, 't/+')),
        b.expect(unsuback(2, 0)),
        b.send(puback(1)),
        b.nothing(),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'a shared subscription brings no retained messages (4.8.2)',
      steps: [a.connect(), a.send(kept, subscribe(1, '$share/g/t')), a.expect(suback(1, 0)), a.nothing()],
    },
    {
      covers: ['5.0 MQTT-3.3.2-5 server', '5.0 MQTT-3.3.2-6 server'],
      name: 'a retained message expires, and until then its interval is counted down',
      steps: [
        a.connect(),
        a.send(publish('t', 'x', { retain: true, properties: { messageExpiryInterval: 10 } })),
        advance(4),
        b.connect(),
        b.send(subscribe(1, 't')),
        b.expect(suback(1, 0), publish('t', 'x', { retain: true, properties: { messageExpiryInterval: 6 } })),
        advance(6),
        b.send(subscribe(2, 't')),
        b.expect(suback(2, 0)),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.1-5 server', '5.0 MQTT-3.3.2-17 server'],
      name: 'the properties of a retained message are retained',
      steps: [
        a.connect(),
        a.send(
          publish('t', 'x', { retain: true, properties: { contentType: 'x', userProperties: [['a', 'b']] } }),
        ),
        b.connect(),
        b.send(subscribe(1, 't')),
        b.expect(
          suback(1, 0),
          publish('t', 'x', { retain: true, properties: { contentType: 'x', userProperties: [['a', 'b']] } }),
        ),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a retained message of QoS 2 is retained at PUBREL, and not before',
      steps: [
        a.connect(),
        a.send(publish('t', 'x', { retain: true, qos: 2, packetId: 1 })),
        a.expectThat('PUBREC', () => {}),
        b.connect(),
        b.send(subscribe(1, 't')),
        b.expect(suback(1, 0)),
        b.nothing(),
        a.send(pubrel(1)),
        a.expect(pubcomp(1)),
        b.expect(publish('t', 'x')),
        c.connect(),
        c.send(subscribe(1, 't')),
        c.expect(suback(1, 0), publish('t', 'x', { retain: true })),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'retained messages of QoS 1 wait for Receive Maximum, and none is lost',
      steps: [
        a.connect(),
        a.send(...[1, 2, 3, 4, 5].map((n) => publish(`t/${n}`, 'x', { retain: true, qos: 1, packetId: n }))),
        a.expect(...[1, 2, 3, 4, 5].map((n) => puback(n, 0x10))),
        b.connect({ properties: { receiveMaximum: 2 } }),
        b.send(subscribe(1, 't/+', 1)),
        b.expect(suback(1, 1)),
        ...[1, 2].map((n) => b.expect(publish(`t/${n}`, 'x', { retain: true, qos: 1, packetId: n }))),
        b.nothing(),
        b.send(puback(1)),
        b.expectThat('the third', ({ type }) => {
          if (type !== 'PUBLISH') throw new Error(type)
        }),
        b.nothing(),
        b.send(puback(2), puback(3)),
        b.expectThat('the fourth', ({ type }) => {
          if (type !== 'PUBLISH') throw new Error(type)
        }),
        b.expectThat('the fifth', ({ type }) => {
          if (type !== 'PUBLISH') throw new Error(type)
        }),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.4.2-1 server'],
      name: 'where no more may be retained, PUBACK says 0x97',
      options: { limits: { retainedMessages: 1 } },
      steps: [
        a.connect(),
        a.send(publish('t', 'x', { retain: true, qos: 1, packetId: 1 })),
        a.expect(puback(1, 0x10)),
        a.send(publish('u', 'x', { retain: true, qos: 1, packetId: 2 })),
        a.expect(puback(2, 0x97)),
        a.send(publish('u', 'x', { retain: true, qos: 2, packetId: 3 })),
        a.expect(pubrec(3, 0x97)),
      ],
    },
  ],
}
