import { encode } from '@pipit/protocol'
import { connectFrame, frame, hex, pingreq, publish, suback, subscribe, uint16 } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, advance, b, silence } from '../kit/steps.ts'

/** CONNECT: what comes first, its flags and its keep alive. */
export const connect: Table = {
  title: '3.1 CONNECT',
  rows: [
    {
      covers: ['3.1.1 MQTT-3.1.4-4 server', '5.0 MQTT-3.1.4-5 server', '3.1.1 MQTT-3.2.0-1 server'],
      name: 'is answered by CONNACK 0x00, before anything else',
      steps: [a.connect({}, { sessionPresent: false, properties: {} }), a.nothing()],
    },
    {
      covers: [],
      versions: [3],
      name: 'of 3.1 is answered by CONNACK 0x00',
      steps: [a.tries(), a.expectHex('20 02 00 00'), a.nothing()],
    },
    {
      covers: [],
      versions: [3],
      name: 'of 3.1 may have any flags in the fixed header, and the reserved connect flag',
      steps: [
        a.open(),
        a.send(connectFrame(3, { header: 0x14, flags: 3 })),
        a.expectHex('20 02 00 00'),
        a.nothing(),
      ],
    },
    ...[pingreq, publish('t'), subscribe(1, 't')].map((packet) => ({
      covers: ['3.1.1 MQTT-4.8.0-1 server' as const, '5.0 MQTT-4.13.1-1 server' as const],
      name: `${packet.type} before CONNECT closes the connection in silence`,
      steps: [a.open(), a.send(packet), a.closed()],
    })),
    {
      covers: ['5.0 MQTT-3.14.0-1 server'],
      name: 'no DISCONNECT is said to a client that was not accepted',
      steps: [a.open(), a.send('30 03 00 01'), a.closed(), a.open(), a.send('f0 00'), a.closed()],
    },
    {
      covers: ['3.1.1 MQTT-3.1.0-2 server', '5.0 MQTT-3.1.0-2 server', '5.0 MQTT-3.2.0-2 server'],
      name: 'a second one on a connection is a Protocol Error, and has no CONNACK',
      steps: (version) => [a.connect(), a.send(connectFrame(version)), a.cutOff(0x82)],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-1 server', '5.0 MQTT-3.1.2-1 server'],
      name: 'with another protocol name closes the connection',
      steps: (version) => [
        a.open(),
        a.send(connectFrame(version, { name: 'MQTU' })),
        a.closed(),
        a.open(),
        a.send(connectFrame(version, { name: 'mqtt' })),
        a.closed(),
        a.open(),
        a.send(connectFrame(version, { name: '' })),
        a.closed(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-2 server'],
      name: 'with a version that does not exist is refused (in the form of 5.0: none is agreed on)',
      steps: [6, 2, 0x7f].flatMap((level) => [
        a.open(5),
        a.send(connectFrame(4, { level })),
        a.expectThat('a CONNACK that refuses', (_packet, bytes) => {
          if (bytes[0] !== 0x20 || (bytes[3] !== 1 && bytes[3] !== 0x84))
            throw new Error(bytes.toString('hex'))
        }),
        a.closed(),
      ]),
    },
    {
      covers: ['5.0 MQTT-3.1.2-2 server', '5.0 MQTT-3.2.2-7 server', '5.0 MQTT-3.2.2-8 server'],
      name: 'with a version that does not exist is refused with 0x84',
      steps: [
        ...[6, 2, 0x7f].flatMap((level) => [
          a.open(),
          a.send(connectFrame(5, { level })),
          a.expectHex('20 03 00 84 00'),
          a.closed(),
        ]),
        a.open(),
        a.send(connectFrame(5, { name: 'MQIsdp', level: 2 })),
        a.expectHex('20 03 00 84 00'),
        a.closed(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-3 server', '5.0 MQTT-3.1.2-3 server', '3.1.1 MQTT-3.1.4-1 server'],
      not31: true,
      name: 'with the reserved connect flag closes the connection',
      steps: (version) => [a.open(), a.send(connectFrame(version, { flags: 3 })), a.closed()],
    },
    {
      covers: ['3.1.1 MQTT-2.2.2-2 server', '5.0 MQTT-2.1.3-1 server', '5.0 MQTT-3.1.4-1 server'],
      not31: true,
      name: 'with flags in the fixed header closes the connection',
      steps: (version) =>
        [0x11, 0x12, 0x14, 0x18].flatMap((header) => [
          a.open(),
          a.send(connectFrame(version, { header })),
          a.closed(),
        ]),
    },
    {
      covers: ['3.1.1 MQTT-3.1.4-1 server', '5.0 MQTT-3.1.4-1 server'],
      name: 'with will flags that contradict each other closes the connection',
      steps: (version) =>
        [0x0a, 0x12, 0x22, 0x3a, 0x1e].flatMap((flags) => [
          a.open(),
          a.send(connectFrame(version, { flags, payload: ['a', ...(version === 5 ? [0] : []), 'w', 'p'] })),
          a.closed(),
        ]),
    },
    {
      covers: ['3.1.1 MQTT-3.1.4-1 server', '5.0 MQTT-3.1.4-1 server'],
      not31: true,
      name: 'without what its flags announce closes the connection',
      steps: (version) => {
        const willProperties = version === 5 ? [0] : []
        const payloads = [
          { flags: 0x02, payload: [] },
          { flags: 0x06, payload: ['a'] },
          { flags: 0x06, payload: ['a', ...willProperties, 'w'] },
          { flags: 0x82, payload: ['a'] },
          { flags: 0xc2, payload: ['a', 'user'] },
        ]
        return payloads.flatMap((parts) => [a.open(), a.send(connectFrame(version, parts)), a.closed()])
      },
    },
    {
      covers: ['3.1.1 MQTT-3.1.4-1 server'],
      name: 'with a password and no user name closes the connection in 3.1.1',
      steps: [a.open(), a.send(connectFrame(4, { flags: 0x42, payload: ['a', 'secret'] })), a.closed()],
    },
    {
      covers: [],
      versions: [5],
      name: 'with a password and no user name is fine in 5.0',
      steps: [a.connect({ password: Buffer.from('secret') })],
    },
    {
      covers: ['3.1.1 MQTT-3.1.4-1 server', '5.0 MQTT-3.1.4-1 server'],
      name: 'with bytes behind its end does not bring a client in',
      steps: (version) => [
        a.open(),
        a.send(connectFrame(version, { payload: ['a', 0] })),
        ...(version === 5 ? [a.refused(0x81)] : [a.closed()]),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-24 server', '5.0 MQTT-3.1.2-22 server', '5.0 MQTT-3.2.2-22 server'],
      name: 'a client silent for one and a half Keep Alive periods is cut off, and not before',
      steps: [
        a.connect({ keepAlive: 10 }),
        silence(14),
        a.nothing(),
        silence(14),
        a.nothing(),
        silence(15),
        a.cutOff(0x8d),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.2-24 server', '5.0 MQTT-3.1.2-22 server'],
      name: 'any packet is a sign of life',
      steps: [
        a.connect({ keepAlive: 10 }),
        silence(14),
        a.send(publish('t', 'x')),
        b.connect({ keepAlive: 0 }),
        silence(0),
        b.nothing(),
        silence(2),
        a.nothing(),
      ],
    },
    {
      covers: [],
      versions: [3, 4, 5],
      name: 'Keep Alive 0 turns it off',
      steps: [a.connect({ keepAlive: 0 }), silence(1_000_000), a.nothing()],
    },
    {
      covers: ['5.0 MQTT-3.1.2-22 server'],
      name: 'a Server Keep Alive is announced and holds, where the server has a limit',
      options: { limits: { keepAlive: 30 } },
      steps: [
        a.connect({ keepAlive: 600 }, { properties: { serverKeepAlive: 30 } }),
        b.connect({ keepAlive: 20 }, { properties: {} }),
        b.leaves(),
        silence(44),
        a.nothing(),
        silence(45),
        a.cutOff(0x8d),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.4-5 server', '5.0 MQTT-3.1.4-6 server', '5.0 MQTT-3.1.4-2 server'],
      name: 'what a refused client sent behind it is not processed',
      options: { authenticate: ({ username }) => username === 'good' },
      steps: [
        b.connect({ username: 'good' }),
        b.send(subscribe(1, 't')),
        b.expectThat('SUBACK', () => {}),
        a.open(),
        {
          name: 'a sends CONNECT and PUBLISH at once',
          run: (world) => world.peer('a').send(pipelined(world.version)),
        },
        a.refused(0x86),
        b.nothing(),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'what an accepted client sent behind it, not waiting for CONNACK, is processed',
      steps: [
        a.open(),
        {
          name: 'a sends CONNECT, PUBLISH and PINGREQ at once',
          run: (world) => world.peer('a').send(pipelined(world.version)),
        },
        a.expectThat('CONNACK', ({ type }) => {
          if (type !== 'CONNACK') throw new Error(type)
        }),
        a.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.4-4 server', '5.0 MQTT-3.1.4-5 server'],
      name: 'what it sent waits for an authentication that takes its time, and comes in its order',
      options: {
        authenticate: async ({ clientId }) => {
          await new Promise<void>((resolve) => setImmediate(resolve))
          return clientId === 'a'
        },
      },
      steps: (version) => [
        a.open(),
        {
          name: 'a sends CONNECT, SUBSCRIBE, PUBLISH in pieces',
          run: (world) => {
            const rest = [subscribe(1, 't'), publish('t', 'y')].map((packet) => encode(packet, version))
            const all = Buffer.concat([pipelined(version), ...rest])
            world.peer('a').send(all.subarray(0, 25))
            world.peer('a').send(all.subarray(25))
          },
        },
        a.expectThat('CONNACK', ({ type }) => {
          if (type !== 'CONNACK') throw new Error(type)
        }),
        a.expect(suback(1, 0), publish('t', 'y')),
        a.nothing(),
        b.tries(),
        b.refused(0x86),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'a connection that says nothing is closed in time',
      steps: [a.open(), b.connect(), silence(31), a.closed(), b.nothing()],
    },
    {
      covers: ['3.1.1 MQTT-7.1.1-1 server', '5.0 MQTT-4.2-1 server'],
      name: 'byte by byte it is understood as well',
      steps: (version) => [
        a.open(),
        ...[...connectFrame(version)].map((byte) => a.send(Buffer.from([byte]))),
        a.expectThat('CONNACK', ({ type }) => {
          if (type !== 'CONNACK') throw new Error(type)
        }),
        advance(0),
        a.nothing(),
      ],
    },
  ],
}

function pipelined(version: number): Uint8Array {
  const properties = version === 5 ? [0] : []
  const own = frame(0x30, 't', ...properties, hex('78'))
  return Buffer.concat([
    frame(0x10, version === 3 ? 'MQIsdp' : 'MQTT', version, 2, uint16(0), ...properties, 'a'),
    own,
  ])
}
