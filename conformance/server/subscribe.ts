import { frame, properties, puback, publish, suback, subscribe, uint16 } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b } from '../kit/steps.ts'

const noProperties = (version: number): number[] => (version === 5 ? [0] : [])

/** SUBSCRIBE and SUBACK. */
export const subscribing: Table = {
  title: '3.8 SUBSCRIBE',
  rows: [
    {
      covers: ['3.1.1 MQTT-3.8.1-1 server', '5.0 MQTT-3.8.1-1 server', '3.1.1 MQTT-2.2.2-1 server'],
      not31: true,
      name: 'other flags than 2 are refused',
      steps: (version) =>
        [0x80, 0x81, 0x83, 0x84, 0x8a].flatMap((first) => [
          a.connect(),
          a.send(frame(first, uint16(1), ...noProperties(version), 't', 0)),
          a.cutOff(0x81),
        ]),
    },
    {
      covers: ['3.1.1 MQTT-2.3.1-1 server'],
      name: 'identifier 0 is refused',
      versions: [4, 5],
      steps: (version) => [
        a.connect(),
        a.send(frame(0x82, uint16(0), ...noProperties(version), 't', 0)),
        a.cutOff(0x81),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.8.3-3 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'no Topic Filter is a Protocol Error',
      steps: (version) => [
        a.connect(),
        a.send(frame(0x82, uint16(1), ...noProperties(version))),
        a.cutOff(0x82),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.8.3-4 server'],
      name: 'QoS 3, and a bit beside the QoS, end the connection',
      steps: [3, 4, 8, 0x40, 0x80].flatMap((options) => [
        a.connect(),
        a.send(frame(0x82, uint16(1), 't', options)),
        a.closed(),
      ]),
    },
    {
      covers: ['5.0 MQTT-3.8.3-5 server'],
      name: 'reserved bits of the options are malformed',
      steps: [0x40, 0x80, 0xc1].flatMap((options) => [
        a.connect(),
        a.send(frame(0x82, uint16(1), 0, 't', options)),
        a.cutOff(0x81),
      ]),
    },
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'QoS 3 and Retain Handling 3 are Protocol Errors',
      steps: [0x03, 0x30].flatMap((options) => [
        a.connect(),
        a.send(frame(0x82, uint16(1), 0, 't', options)),
        a.cutOff(0x82),
      ]),
    },
    {
      covers: [
        '3.1.1 MQTT-3.8.4-1 server',
        '3.1.1 MQTT-3.8.4-2 server',
        '3.1.1 MQTT-2.3.1-7 server',
        '5.0 MQTT-3.8.4-1 server',
        '5.0 MQTT-3.8.4-2 server',
        '5.0 MQTT-2.2.1-6 server',
      ],
      name: 'is answered by SUBACK with its identifier',
      steps: (version) => [
        a.connect(),
        a.send(subscribe(0xabcd, 't', 1)),
        a.expectHex(version === 5 ? '90 04 ab cd 00 01' : '90 03 ab cd 01'),
        a.send(subscribe(1, 't', 0)),
        a.expect(suback(1, 0)),
        a.nothing(),
      ],
    },
    {
      covers: [
        '3.1.1 MQTT-3.8.4-4 server',
        '3.1.1 MQTT-3.8.4-5 server',
        '3.1.1 MQTT-3.9.3-1 server',
        '3.1.1 MQTT-3.9.3-2 server',
        '5.0 MQTT-3.8.4-5 server',
        '5.0 MQTT-3.8.4-6 server',
        '5.0 MQTT-3.8.4-7 server',
        '5.0 MQTT-3.9.3-1 server',
        '5.0 MQTT-3.9.3-2 server',
      ],
      name: 'many filters have a code each, in their order, and the effect of one SUBSCRIBE each',
      options: { authorize: (_client, access, topic) => access !== 'subscribe' || topic !== 'forbidden' },
      steps: [
        a.connect(),
        a.send(
          subscribe(1, [
            { topicFilter: 'x', qos: 2 },
            { topicFilter: 'forbidden', qos: 2 },
            { topicFilter: 'y', qos: 0 },
            { topicFilter: 'z', qos: 1 },
          ]),
        ),
        a.expect(suback(1, 2, 0x87, 0, 1)),
        b.connect(),
        b.send(
          ...['x', 'forbidden', 'y', 'z'].map((topic, i) => publish(topic, 'm', { qos: 1, packetId: i + 1 })),
        ),
        a.expect(
          publish('x', 'm', { qos: 1, packetId: 1 }),
          publish('y', 'm'),
          publish('z', 'm', { qos: 1, packetId: 2 }),
        ),
        a.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.8.4-6 server', '5.0 MQTT-3.8.4-8 server'],
      name: 'a message comes with the smaller one of its QoS and the granted QoS',
      steps: ([0, 1, 2] as const).flatMap((granted) => [
        b.connect(),
        b.send(subscribe(1, 't', granted)),
        b.expect(suback(1, granted)),
        a.connect(),
        ...([0, 1, 2] as const).flatMap((qos) => {
          const least = Math.min(qos, granted) as 0 | 1 | 2
          const id = least === 0 ? 0 : granted === 1 ? qos : least
          return [
            a.send(publish('t', `${qos}`, { qos, packetId: qos }), ...(qos === 2 ? ['62020002'] : [])),
            b.expect(publish('t', `${qos}`, { qos: least, packetId: id })),
          ]
        }),
      ]),
    },
    {
      covers: ['3.1.1 MQTT-3.8.4-3 server', '5.0 MQTT-3.8.4-3 server'],
      name: 'to a filter that is subscribed already replaces the old one: one copy, at the new QoS',
      steps: [
        a.connect(),
        a.send(subscribe(1, 't', 2)),
        a.expect(suback(1, 2)),
        a.send(subscribe(2, 't', 0)),
        a.expect(suback(2, 0)),
        a.send(publish('t', 'x', { qos: 1, packetId: 1 })),
        a.expectAnyOrder(puback(1), publish('t', 'x')),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.8.4-3 server'],
      name: 'the replacement takes its options and its identifier from the new SUBSCRIBE',
      steps: [
        a.connect(),
        a.send(
          subscribe(1, [{ topicFilter: 't', qos: 0, noLocal: true, retainAsPublished: true }], 0, {
            subscriptionIdentifiers: [5],
          }),
        ),
        a.expect(suback(1, 0)),
        a.send(publish('t', 'x')),
        a.nothing(),
        a.send(subscribe(2, [{ topicFilter: 't', qos: 0 }])),
        a.expect(suback(2, 0)),
        a.send(publish('t', 'y', { retain: true })),
        a.expect(publish('t', 'y')),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.8.4-3 server', '5.0 MQTT-3.8.4-4 server'],
      name: 'the replacement loses no message that is in flight',
      steps: [
        a.connect(),
        a.send(subscribe(1, 't', 1)),
        a.expect(suback(1, 1)),
        b.connect(),
        b.send(publish('t', 'one', { qos: 1, packetId: 1 })),
        a.expect(publish('t', 'one', { qos: 1, packetId: 1 })),
        a.send(subscribe(2, 't', 1)),
        a.expect(suback(2, 1)),
        b.send(publish('t', 'two', { qos: 1, packetId: 2 })),
        a.expect(publish('t', 'two', { qos: 1, packetId: 2 })),
        a.send(puback(1), puback(2)),
        a.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.3.5-1 server', '5.0 MQTT-3.3.4-2 server'],
      name: 'where several filters match, one copy comes, at the highest QoS granted',
      steps: [
        a.connect(),
        a.send(
          subscribe(1, [
            { topicFilter: 't/+', qos: 0 },
            { topicFilter: 't/x', qos: 2 },
            { topicFilter: 't/#', qos: 1 },
          ]),
        ),
        a.expect(suback(1, 0, 2, 1)),
        b.connect(),
        b.send(publish('t/x', 'm', { qos: 2, packetId: 1 }), '62020001'),
        a.expect(publish('t/x', 'm', { qos: 2, packetId: 1 })),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.4-3 server', '5.0 MQTT-3.3.4-4 server'],
      name: 'that copy has the identifiers of all subscriptions that match and have one',
      steps: [
        a.connect(),
        a.send(subscribe(1, 't/+', 0, { subscriptionIdentifiers: [1] })),
        a.send(subscribe(2, 't/x', 1, { subscriptionIdentifiers: [268435455] })),
        a.send(subscribe(3, 't/#', 0), subscribe(4, 'u', 0, { subscriptionIdentifiers: [4] })),
        a.expect(suback(1, 0), suback(2, 1), suback(3, 0), suback(4, 0)),
        b.connect(),
        b.send(publish('t/x', 'm')),
        a.expectThat('one copy with 1 and 268435455', (packet) => {
          const ids = packet.type === 'PUBLISH' ? packet.properties?.subscriptionIdentifiers : undefined
          if ([...(ids ?? [])].sort().join() !== '1,268435455') throw new Error(JSON.stringify(packet))
        }),
        a.nothing(),
        b.send(publish('u', 'm')),
        a.expect(publish('u', 'm', { properties: { subscriptionIdentifiers: [4] } })),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.4-5 server'],
      name: 'a copy for a shared subscription has the identifier of that one, and the other copy its own',
      steps: [
        a.connect(),
        a.send(subscribe(1, '$share/g/t', 0, { subscriptionIdentifiers: [1] })),
        a.send(subscribe(2, 't', 0, { subscriptionIdentifiers: [2] })),
        a.expect(suback(1, 0), suback(2, 0)),
        b.connect(),
        b.send(publish('t', 'm')),
        a.expectThat('a copy with 1 or 2', identifierIn([1, 2])),
        a.expectThat('a copy with 1 or 2', identifierIn([1, 2])),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'a Subscription Identifier of 0, and two of them, are Protocol Errors',
      steps: [properties(0x0b, 0), properties(0x0b, 1, 0x0b, 2)].flatMap((wrong) => [
        a.connect(),
        a.send(frame(0x82, uint16(1), wrong, 't', 0)),
        a.cutOff(0x82),
      ]),
    },
    {
      covers: ['5.0 MQTT-3.8.3-3 server'],
      name: 'No Local: what the same connection published does not come; what another one did, does',
      steps: [
        a.connect(),
        a.send(subscribe(1, [{ topicFilter: 't', qos: 1, noLocal: true }])),
        a.expect(suback(1, 1)),
        a.send(publish('t', 'own'), publish('t', 'own', { qos: 1, packetId: 1 })),
        a.expect(puback(1, 0x10)),
        a.nothing(),
        b.connect(),
        b.send(publish('t', 'other')),
        a.expect(publish('t', 'other')),
      ],
    },
    {
      covers: ['5.0 MQTT-3.8.3-3 server'],
      name: 'No Local on one of two filters that match: the other one brings the message',
      steps: [
        a.connect(),
        a.send(
          subscribe(1, [
            { topicFilter: 't', qos: 1, noLocal: true },
            { topicFilter: '#', qos: 0 },
          ]),
        ),
        a.expect(suback(1, 1, 0)),
        a.send(publish('t', 'own')),
        a.expect(publish('t', 'own')),
        a.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.9.3-2 server'],
      name: 'a filter that is refused has code 0x80 in 3.1.1',
      options: { authorize: (_client, access) => access !== 'subscribe' },
      steps: [a.connect(), a.send(subscribe(1, ['t', 'u'])), a.expectHex('90 04 00 01 80 80'), a.nothing()],
    },
    {
      covers: ['5.0 MQTT-3.9.3-2 server'],
      name: 'more subscriptions than a client may have get 0x97',
      options: { limits: { subscriptionsPerClient: 2 } },
      steps: [a.connect(), a.send(subscribe(1, ['x', 'y', 'z', 'x'])), a.expect(suback(1, 0, 0, 0x97, 0))],
    },
  ],
}

function identifierIn(allowed: number[]) {
  return (packet: { type: string; properties?: object }): void => {
    const ids = (packet.properties as { subscriptionIdentifiers?: number[] }).subscriptionIdentifiers
    const id = ids?.length === 1 ? allowed.indexOf(ids[0]!) : -1
    if (id < 0) throw new Error(JSON.stringify(packet))
    allowed.splice(id, 1)
  }
}
