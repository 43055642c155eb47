import { hex, publish, suback, subscribe } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, advance, b, c } from '../kit/steps.ts'
import { watches } from './wills.ts'

const ordered = [
  ['b', '2'],
  ['a', '1'],
  ['b', '1'],
] as const

/** Wills that wait, and what goes with them. */
export const willDelay: Table = {
  title: '3.1.3.2 Will delay and will properties',
  rows: [
    {
      covers: ['5.0 MQTT-3.1.3-9 server'],
      name: 'a takeover that goes on with the session takes back a will with a delay',
      steps: [
        ...watches(b),
        a.connect({ session: 100, will: { topic: 'w', properties: { willDelayInterval: 10 } } }),
        c.connect({ clientId: 'a', session: 100 }, { sessionPresent: true }),
        a.cutOff(0x8e),
        advance(11),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-8 server'],
      name: 'a takeover with a clean start ends the session, and so publishes a will with a delay',
      steps: [
        ...watches(b),
        a.connect({ session: 100, will: { topic: 'w', properties: { willDelayInterval: 10 } } }),
        c.connect({ clientId: 'a', cleanStart: true }, { sessionPresent: false }),
        a.cutOff(0x8e),
        b.expect(publish('w', 'gone')),
        advance(11),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-8 server'],
      name: 'a Will Delay Interval is waited for',
      steps: [
        ...watches(b),
        a.connect({ session: 100, will: { topic: 'w', properties: { willDelayInterval: 10 } } }),
        a.drops(),
        advance(9),
        b.nothing(),
        advance(1),
        b.expect(publish('w', 'gone')),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.3-9 server'],
      name: 'who comes back before the Will Delay Interval has passed takes the will back',
      steps: [
        ...watches(b),
        a.connect({ session: 100, will: { topic: 'w', properties: { willDelayInterval: 10 } } }),
        a.drops(),
        advance(9),
        a.connect({ session: 100 }, { sessionPresent: true }),
        advance(100),
        b.nothing(),
        a.leaves(),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-8 server'],
      name: 'the end of the session does not wait for the Will Delay Interval',
      steps: [
        ...watches(b),
        a.connect({ session: 5, will: { topic: 'w', properties: { willDelayInterval: 100 } } }),
        a.drops(),
        advance(4),
        b.nothing(),
        advance(1),
        b.expect(publish('w', 'gone')),
        advance(100),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-8 server'],
      name: 'a session that ends with its connection has no delay',
      steps: [
        ...watches(b),
        a.connect({ will: { topic: 'w', properties: { willDelayInterval: 100 } } }),
        a.drops(),
        b.expect(publish('w', 'gone')),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-8 server'],
      name: 'a clean start while the delay runs ends the session, and publishes the will',
      steps: [
        ...watches(b),
        a.connect({ session: 100, will: { topic: 'w', properties: { willDelayInterval: 50 } } }),
        a.drops(),
        b.nothing(),
        a.connect({ cleanStart: true }, { sessionPresent: false }),
        b.expect(publish('w', 'gone')),
        advance(100),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.3-10 server'],
      name: 'the properties of the will go with it, User Properties in their order, the delay aside',
      steps: [
        ...watches(b),
        a.connect({
          session: 100,
          will: {
            topic: 'w',
            properties: {
              willDelayInterval: 5,
              payloadFormatIndicator: 1,
              messageExpiryInterval: 60,
              contentType: 'text/plain',
              responseTopic: 'answers',
              correlationData: hex('0102'),
              userProperties: ordered,
            },
          },
        }),
        a.drops(),
        advance(5),
        b.expect(
          publish('w', 'gone', {
            properties: {
              payloadFormatIndicator: 1,
              messageExpiryInterval: 60,
              contentType: 'text/plain',
              responseTopic: 'answers',
              correlationData: hex('0102'),
              userProperties: ordered,
            },
          }),
        ),
      ],
    },
    {
      covers: ['5.0 MQTT-3.2.2-12 server', '5.0 MQTT-3.2.2-9 server', '5.0 MQTT-3.2.2-10 server'],
      name: 'a server of QoS 1 says so, takes subscriptions at 2, and refuses a will and a message of QoS 2 with 0x9B',
      options: { maximumQoS: 1 },
      steps: [
        a.tries({ will: { topic: 'w', qos: 2 } }),
        a.refused(0x9b),
        a.connect({ will: { topic: 'w', qos: 1 } }, { properties: { maximumQoS: 1 } }),
        a.send(subscribe(1, 't', 2)),
        a.expect(suback(1, 1)),
        a.send(publish('t', 'x', { qos: 2, packetId: 1 })),
        a.cutOff(0x9b),
      ],
    },
    {
      covers: ['5.0 MQTT-3.2.2-13 server'],
      name: 'a server that retains nothing says so, and refuses a Will Retain and a retained message with 0x9A',
      options: { retainAvailable: false },
      steps: [
        a.tries({ will: { topic: 'w', retain: true } }),
        a.refused(0x9a),
        a.connect({}, { properties: { retainAvailable: 0 } }),
        a.send(publish('t', 'x', { retain: true })),
        a.cutOff(0x9a),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-8 server', '5.0 MQTT-3.1.2-8 server'],
      name: 'a will of no bytes is a message like another; retained, it clears its topic',
      steps: [
        b.connect(),
        b.send(publish('w', 'old', { retain: true })),
        ...watches(b),
        b.expect(publish('w', 'old', { retain: true })),
        a.connect({ will: { topic: 'w', payload: '', retain: true } }),
        a.drops(),
        {
          name: 'b expects the empty message',
          run: (world) => b.expect(publish('w', '', { retain: world.version === 5 })).run(world),
        },
        c.connect(),
        c.send(subscribe(1, 'w')),
        c.expect(suback(1, 0)),
        c.nothing(),
      ],
    },
  ],
}
