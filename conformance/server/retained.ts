import { puback, pubcomp, publish, pubrel, suback, subscribe } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b, c } from '../kit/steps.ts'

const kept = publish('t', 'kept', { retain: true })

/** Retained messages. */
export const retained: Table = {
  title: '3.3.1.3 Retained messages',
  rows: [
    {
      covers: [
        '3.1.1 MQTT-3.3.1-5 server',
        '3.1.1 MQTT-3.3.1-6 server',
        '3.1.1 MQTT-3.3.1-8 server',
        '5.0 MQTT-3.3.1-9 server',
      ],
      name: 'who subscribes gets what is retained, with RETAIN 1',
      steps: [
        a.connect(),
        a.send(kept, publish('t/1', 'one', { retain: true }), publish('u', 'other', { retain: true })),
        a.nothing(),
        b.connect(),
        b.send(subscribe(1, 't/#')),
        b.expect(suback(1, 0)),
        b.expectAnyOrder(kept, publish('t/1', 'one', { retain: true })),
        b.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.3.1-5 server', '5.0 MQTT-3.3.1-5 server'],
      name: 'a retained message keeps its QoS, and comes with the lower one of it and what is granted',
      steps: [
        a.connect(),
        a.send(publish('q/1', 'one', { retain: true, qos: 1, packetId: 1 })),
        a.expect(puback(1, 0x10)),
        a.send(publish('q/2', 'two', { retain: true, qos: 2, packetId: 2 }), pubrel(2)),
        a.expectThat('PUBREC', () => {}),
        a.expect(pubcomp(2)),
        a.send(publish('q/0', 'none', { retain: true })),
        b.connect(),
        b.send(subscribe(1, ['q/1', 'q/2', 'q/0'], 2)),
        b.expect(
          suback(1, 2, 2, 2),
          publish('q/1', 'one', { retain: true, qos: 1, packetId: 1 }),
          publish('q/2', 'two', { retain: true, qos: 2, packetId: 2 }),
          publish('q/0', 'none', { retain: true }),
        ),
        b.send(subscribe(2, 'q/2', 1)),
        b.expect(suback(2, 1), publish('q/2', 'two', { retain: true, qos: 1, packetId: 3 })),
        b.send(subscribe(3, 'q/2', 0)),
        b.expect(suback(3, 0), publish('q/2', 'two', { retain: true })),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.3.1-7 server', '5.0 MQTT-3.3.1-5 server'],
      name: 'a newer message takes the place of what was retained, at QoS 0 too',
      steps: [
        a.connect(),
        a.send(publish('t', 'old', { retain: true, qos: 1, packetId: 1 })),
        a.expect(puback(1, 0x10)),
        a.send(publish('t', 'new', { retain: true })),
        a.nothing(),
        b.connect(),
        b.send(subscribe(1, 't', 1)),
        b.expect(suback(1, 1), publish('t', 'new', { retain: true })),
        b.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.3.1-9 server', '5.0 MQTT-3.3.1-12 server'],
      name: 'what was just published has RETAIN 0 for who was subscribed before',
      steps: [
        b.connect(),
        b.send(subscribe(1, 't', 1)),
        b.expect(suback(1, 1)),
        a.connect(),
        a.send(kept, publish('t', 'one', { retain: true, qos: 1, packetId: 1 })),
        b.expect(publish('t', 'kept'), publish('t', 'one', { qos: 1, packetId: 1 })),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.1-13 server'],
      name: 'with Retain As Published it has the RETAIN it came with',
      steps: [
        b.connect(),
        b.send(subscribe(1, [{ topicFilter: 't', qos: 1, retainAsPublished: true }])),
        b.expect(suback(1, 1)),
        a.connect(),
        a.send(kept, publish('t', 'plain'), publish('t', 'one', { retain: true, qos: 1, packetId: 1 })),
        b.expect(kept, publish('t', 'plain'), publish('t', 'one', { retain: true, qos: 1, packetId: 1 })),
      ],
    },
    {
      covers: [
        '3.1.1 MQTT-3.3.1-10 server',
        '3.1.1 MQTT-3.3.1-11 server',
        '5.0 MQTT-3.3.1-6 server',
        '5.0 MQTT-3.3.1-7 server',
      ],
      name: 'RETAIN with no payload goes to the subscribers, clears the topic, and is not retained itself',
      steps: [
        b.connect(),
        b.send(subscribe(1, 't')),
        b.expect(suback(1, 0)),
        a.connect(),
        a.send(kept, publish('t', '', { retain: true })),
        b.expect(publish('t', 'kept'), publish('t', '')),
        c.connect(),
        c.send(subscribe(1, 't')),
        c.expect(suback(1, 0)),
        c.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.3.1-12 server', '5.0 MQTT-3.3.1-8 server'],
      name: 'without RETAIN what is retained stays, also when the payload is empty',
      steps: [
        a.connect(),
        a.send(kept, publish('t', 'passing'), publish('t', '')),
        a.nothing(),
        b.connect(),
        b.send(subscribe(1, 't')),
        b.expect(suback(1, 0), kept),
        b.nothing(),
      ],
    },
  ],
}
