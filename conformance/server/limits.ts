import type { BrokerOptions } from '@pipit/broker'
import { frame, hex, puback, pubcomp, publish, pubrec, pubrel, suback, subscribe } from '../kit/packets.ts'
import type { Step, Table } from '../kit/row.ts'
import { a, advance, atServer, b, c } from '../kit/steps.ts'

type OverflowPolicy = NonNullable<BrokerOptions['overflowPolicy']>

/** The ledger has counted this many losses for the reason. */
function lost(reason: string, count: number): Step {
  return atServer(`${count} messages were lost: ${reason}`, (broker) => {
    const losses = broker.ledger.list().filter((loss) => loss.reason === reason)
    const sum = losses.reduce((all, loss) => all + loss.count, 0)
    if (sum !== count) throw new Error(JSON.stringify(broker.ledger.list()))
  })
}

/** `a` is absent, and four messages of QoS 1 come for it, where two have room. */
const storm: readonly Step[] = [
  a.connect({ session: 100 }),
  a.send(subscribe(1, 't', 1)),
  a.expect(suback(1, 1)),
  a.leaves(),
  b.connect(),
  b.send(...[1, 2, 3, 4].map((n) => publish('t', `${n}`, { qos: 1, packetId: n }))),
]

const full = (overflowPolicy: OverflowPolicy): BrokerOptions => ({
  overflowPolicy,
  limits: { queuedMessages: 2 },
})

/** Limits of the broker, and what is said when one is met. */
export const limits: Table = {
  title: 'Limits',
  rows: [
    {
      covers: [],
      versions: [4, 5],
      name: 'queue full, drop-oldest: the newest messages are there, and the loss is counted',
      options: full('drop-oldest'),
      steps: [
        ...storm,
        b.expect(puback(1), puback(2), puback(3), puback(4)),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.expect(publish('t', '3', { qos: 1, packetId: 1 }), publish('t', '4', { qos: 1, packetId: 2 })),
        a.nothing(),
        lost('queue full', 2),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'queue full, drop-newest: the oldest messages are there',
      options: full('drop-newest'),
      steps: [
        ...storm,
        b.expect(puback(1), puback(2), puback(3), puback(4)),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.expect(publish('t', '1', { qos: 1, packetId: 1 }), publish('t', '2', { qos: 1, packetId: 2 })),
        a.nothing(),
        lost('queue full', 2),
      ],
    },
    {
      covers: ['5.0 MQTT-3.4.2-1 server'],
      name: 'queue full, refuse: the publisher hears 0x97',
      options: full('refuse'),
      steps: [
        ...storm,
        b.expect(puback(1), puback(2), puback(3, 0x97), puback(4, 0x97)),
        b.send(publish('t', 'two', { qos: 2, packetId: 5 })),
        b.expect(pubrec(5, 0x97)),
        b.nothing(),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.expect(publish('t', '1', { qos: 1, packetId: 1 }), publish('t', '2', { qos: 1, packetId: 2 })),
        a.nothing(),
      ],
    },
    {
      covers: [],
      versions: [5],
      name: 'queue full by bytes',
      options: { overflowPolicy: 'drop-oldest', limits: { queuedBytes: 100 } },
      steps: [
        a.connect({ session: 100 }),
        a.send(subscribe(1, 't', 1)),
        a.expect(suback(1, 1)),
        a.leaves(),
        b.connect(),
        b.send(...[1, 2, 3].map((n) => publish('t', `${n}`.repeat(40), { qos: 1, packetId: n }))),
        b.expect(puback(1), puback(2), puback(3)),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.expect(
          publish('t', '2'.repeat(40), { qos: 1, packetId: 1 }),
          publish('t', '3'.repeat(40), { qos: 1, packetId: 2 }),
        ),
        lost('queue full', 1),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'inflight: no more at a time, whatever the client allows',
      options: { limits: { inflight: 2 } },
      steps: [
        a.connect(),
        a.send(subscribe(1, 't', 1)),
        a.expect(suback(1, 1)),
        b.connect(),
        b.send(...[1, 2, 3].map((n) => publish('t', `${n}`, { qos: 1, packetId: n }))),
        a.expect(publish('t', '1', { qos: 1, packetId: 1 }), publish('t', '2', { qos: 1, packetId: 2 })),
        a.nothing(),
        a.send(puback(1)),
        a.expect(publish('t', '3', { qos: 1, packetId: 3 })),
      ],
    },
    {
      covers: ['5.0 MQTT-3.2.2-8 server'],
      name: 'connections: one more is refused with 0x89, and let in when another has gone',
      options: { limits: { connections: 2 } },
      steps: [a.connect(), b.connect(), c.tries(), c.refused(0x89), a.leaves(), c.connect()],
    },
    {
      covers: ['3.1.1 MQTT-3.2.2-5 server'],
      name: 'connections: one more is refused with 0x03',
      options: { limits: { connections: 1 } },
      steps: [a.connect(), b.tries(), b.expectHex('20 02 00 03'), b.closed(), a.nothing()],
    },
    {
      covers: ['5.0 MQTT-3.2.2-8 server'],
      name: 'connections of one user: 0x97',
      options: { limits: { connectionsPerUser: 1 } },
      steps: [
        a.connect({ username: 'one' }),
        b.tries({ username: 'one' }),
        b.refused(0x97),
        c.connect({ username: 'other' }),
        a.leaves(),
        b.connect({ username: 'one' }),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'connections from one address: closed at once',
      options: { limits: { connectionsPerAddress: 1 } },
      steps: [a.connect(), b.open(), b.closed(), a.leaves(), b.connect()],
    },
    {
      covers: ['5.0 MQTT-3.2.2-8 server'],
      name: 'sessions: one more is refused with 0x97; who has one comes in',
      options: { limits: { sessions: 2 } },
      steps: [
        a.connect({ session: 100 }),
        b.connect({ session: 100 }),
        c.tries(),
        c.refused(0x97),
        a.leaves(),
        c.tries(),
        c.refused(0x97),
        a.connect({ session: 100 }, { sessionPresent: true }),
        a.leaves(),
        advance(101),
        c.connect(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'size of the first packet: closed in silence, by its length alone',
      options: { limits: { connectPacketSize: 100 } },
      steps: [
        a.tries({ clientId: 'a'.repeat(100) }),
        a.closed(),
        a.open(),
        a.send('10 80 80 80 10'),
        a.closed(),
        a.connect(),
        a.send(publish('t', 'x'.repeat(200))),
        a.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'topic levels: as many as the limit says',
      options: { limits: { topicLevels: 3 } },
      steps: (version) => [
        a.connect(),
        a.send(subscribe(1, 'a/b/#'), publish('a/b/c', 'x')),
        a.expect(suback(1, 0), publish('a/b/c', 'x')),
        a.send(frame(0x30, 'a/b/c/d', ...(version === 5 ? [0] : []), hex('78'))),
        a.cutOff(0x81),
      ],
    },
    {
      covers: ['5.0 MQTT-4.8.2-3 server'],
      name: 'shared subscriptions, sticky: one member gets all, until it has gone',
      options: { sharedStrategy: 'sticky' },
      steps: [
        a.connect(),
        a.send(subscribe(1, '$share/g/t', 1)),
        a.expect(suback(1, 1)),
        b.connect(),
        b.send(subscribe(1, '$share/g/t', 1)),
        b.expect(suback(1, 1)),
        c.connect(),
        c.send(...[1, 2, 3].map((n) => publish('t', `${n}`))),
        a.expect(...[1, 2, 3].map((n) => publish('t', `${n}`))),
        b.nothing(),
        a.leaves(),
        c.send(publish('t', '4')),
        b.expect(publish('t', '4')),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a subscriber that is refused its retained message, or a publisher its release, loses nothing else',
      options: { limits: { retainedMessages: 1 } },
      steps: [
        b.connect(),
        b.send(subscribe(1, '#', 2)),
        b.expect(suback(1, 2)),
        a.connect(),
        a.send(publish('t', 'x', { retain: true, qos: 2, packetId: 1 }), pubrel(1)),
        a.expect(pubrec(1), pubcomp(1)),
        b.expect(publish('t', 'x', { qos: 2, packetId: 1 })),
        a.send(publish('t', 'y', { retain: true }), publish('u', 'z', { retain: true })),
        a.nothing(),
        b.expect(publish('t', 'y')),
        lost('retained full', 1),
      ],
    },
  ],
}
