import { frame, hex, properties, puback, publish, suback, subscribe, uint16 } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b } from '../kit/steps.ts'

const aliased = (topic: string, payload: string, topicAlias: number) =>
  frame(0x30, topic, properties(0x23, uint16(topicAlias)), Buffer.from(payload))

/** Topic Aliases, in both directions. */
export const aliases: Table = {
  title: '3.3.2.3.4 Topic Alias',
  rows: [
    {
      covers: ['5.0 MQTT-3.3.2-12 server'],
      name: 'each alias from 1 to the announced maximum is understood, and redefined at will',
      steps: [
        b.connect(),
        b.send(subscribe(1, '#')),
        b.expect(suback(1, 0)),
        a.tries(),
        a.expectHex('20 06 00 00 03 22 00 0a'),
        ...Array.from({ length: 10 }, (_, i) => i + 1).flatMap((n) => [
          a.send(aliased(`t/${n}`, 'named', n), aliased('', 'alias', n)),
          b.expect(publish(`t/${n}`, 'named'), publish(`t/${n}`, 'alias')),
        ]),
        a.send(aliased('other', 'new', 3), aliased('', 'known', 3), aliased('', 'kept', 4)),
        b.expect(publish('other', 'new'), publish('other', 'known'), publish('t/4', 'kept')),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.2-8 server', '5.0 MQTT-4.13.1-1 server'],
      name: 'alias 0, and one above the maximum, get 0x94',
      steps: [0, 11, 65535].flatMap((n) => [a.connect(), a.send(aliased('t', 'x', n)), a.cutOff(0x94)]),
    },
    {
      covers: ['5.0 MQTT-3.3.2-12 server'],
      name: 'a server that takes none announces none, and answers 0x94',
      options: { limits: { topicAliasMaximum: 0 } },
      steps: [a.tries(), a.expectHex('20 03 00 00 00'), a.send(aliased('t', 'x', 1)), a.cutOff(0x94)],
    },
    {
      covers: ['5.0 MQTT-3.3.2-7 server'],
      name: 'an alias that was not defined on this connection is a Protocol Error',
      steps: [
        a.connect({ session: 100 }),
        a.send(aliased('t', 'x', 1)),
        a.nothing(),
        a.leaves(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.send(aliased('', 'x', 1)),
        a.cutOff(0x82),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'aliases of one client mean nothing to another',
      steps: [
        a.connect(),
        a.send(aliased('t', 'x', 1)),
        a.nothing(),
        b.connect(),
        b.send(aliased('', 'x', 1)),
        b.cutOff(0x82),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'no topic and no alias is a Protocol Error',
      steps: [a.connect(), a.send(frame(0x30, '', 0, hex('78'))), a.cutOff(0x82)],
    },
    {
      covers: ['5.0 MQTT-3.1.2-27 server', '5.0 MQTT-3.3.2-7 server'],
      name: 'who gave no maximum, or 0, sees no alias; not the publisher’s either',
      steps: [
        b.connect({ properties: { topicAliasMaximum: 0 } }),
        b.send(subscribe(1, 't')),
        b.expect(suback(1, 0)),
        a.connect(),
        a.send(subscribe(1, 't'), aliased('t', 'x', 1), aliased('', 'y', 1)),
        a.expect(suback(1, 0), publish('t', 'x'), publish('t', 'y')),
        b.expect(publish('t', 'x'), publish('t', 'y')),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-26 server', '5.0 MQTT-3.3.2-8 server', '5.0 MQTT-3.3.2-11 server'],
      name: 'who takes aliases gets them: the name once, then the alias alone, none above the maximum',
      steps: [
        b.connect({ properties: { topicAliasMaximum: 2 } }),
        b.send(subscribe(1, '#')),
        b.expect(suback(1, 0)),
        a.connect(),
        a.send(publish('one', '1'), publish('one', '2'), publish('two', '3'), publish('two', '4')),
        b.expect(
          publish('one', '1', { properties: { topicAlias: 1 } }),
          publish('', '2', { properties: { topicAlias: 1 } }),
          publish('two', '3', { properties: { topicAlias: 2 } }),
          publish('', '4', { properties: { topicAlias: 2 } }),
        ),
        a.send(publish('three', '5')),
        b.expectThat('a name, with an alias of 1 or 2 or none', (packet) => {
          if (packet.type !== 'PUBLISH' || packet.topic !== 'three') throw new Error(JSON.stringify(packet))
          const alias = packet.properties?.topicAlias ?? 1
          if (alias < 1 || alias > 2) throw new Error(`alias ${alias}`)
        }),
      ],
    },
    {
      covers: ['5.0 MQTT-3.1.2-24 server', '5.0 MQTT-3.1.2-26 server'],
      name: 'a message that fits without an alias and not with one is sent, and later ones are understood',
      steps: [
        b.connect({ properties: { topicAliasMaximum: 5, maximumPacketSize: 20 } }),
        b.send(subscribe(1, 't', 1)),
        b.expect(suback(1, 1)),
        a.connect(),
        a.send(
          publish('t', 'x'.repeat(14)),
          publish('t', 'y'),
          publish('t', 'z'.repeat(15)),
          publish('t', 'z'),
        ),
        b.expect(publish('t', 'x'.repeat(14))),
        b.expect(
          publish('t', 'y', { properties: { topicAlias: 1 } }),
          publish('', 'z', { properties: { topicAlias: 1 } }),
        ),
        a.send(publish('t', 'q'.repeat(12), { qos: 1, packetId: 1 })),
        a.expect(puback(1)),
        b.expectThat('it, with its alias or without', (packet) => {
          if (packet.type !== 'PUBLISH' || packet.packetId !== 1) throw new Error(JSON.stringify(packet))
        }),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.3.2-7 server'],
      name: 'what comes again on the next connection has its name',
      steps: [
        b.connect({ session: 100, properties: { topicAliasMaximum: 5 } }),
        b.send(subscribe(1, 't', 1)),
        b.expect(suback(1, 1)),
        a.connect(),
        a.send(publish('t', 'x', { qos: 1, packetId: 1 }), publish('t', 'y', { qos: 1, packetId: 2 })),
        a.expect(puback(1), puback(2)),
        b.expect(
          publish('t', 'x', { qos: 1, packetId: 1, properties: { topicAlias: 1 } }),
          publish('', 'y', { qos: 1, packetId: 2, properties: { topicAlias: 1 } }),
        ),
        b.drops(),
        b.connect({ session: 100 }, { sessionPresent: true }),
        b.expect(
          publish('t', 'x', { qos: 1, packetId: 1, dup: true }),
          publish('t', 'y', { qos: 1, packetId: 2, dup: true }),
        ),
      ],
    },
  ],
}
