import { connectFrame, hex, text } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b } from '../kit/steps.ts'

let assigned = ''

/** Client Identifiers, user names and passwords. */
export const clientId: Table = {
  title: '3.1.3 CONNECT: payload',
  rows: [
    {
      covers: ['3.1.1 MQTT-3.1.3-5 server', '5.0 MQTT-3.1.3-5 server'],
      name: 'a Client Identifier of 1 to 23 letters and digits is accepted',
      steps: [
        a.connect({ clientId: 'a' }),
        a.connect({ clientId: '0123456789abcdefghijklm' }),
        a.connect({ clientId: 'ABCDEFGHIJKLMNOPQRSTUVW' }),
        a.connect({ clientId: 'nopqrstuvwxyzXYZ' }),
      ],
    },
    {
      covers: [],
      versions: [4, 5],
      name: 'longer ones and other characters are accepted too',
      steps: [a.connect({ clientId: 'x'.repeat(1000) }), a.connect({ clientId: 'zwölf/Löwen und 🦊 ﻿' })],
    },
    {
      covers: ['3.1.1 MQTT-3.1.3-6 server'],
      not31: true,
      name: 'clients of 3.1.1 without an identifier do not disturb each other',
      steps: [a.connect({ clientId: '' }), b.connect({ clientId: '' }), a.nothing(), b.nothing()],
    },
    {
      covers: ['5.0 MQTT-3.1.3-6 server', '5.0 MQTT-3.1.3-7 server', '5.0 MQTT-3.2.2-16 server'],
      name: 'clients of 5.0 without an identifier are each given one, which is theirs from then on',
      steps: [
        a.tries({ clientId: '', session: 100 }),
        a.expectThat('CONNACK with Assigned Client Identifier', (packet) => {
          if (packet.type !== 'CONNACK') throw new Error(packet.type)
          assigned = packet.properties?.assignedClientIdentifier ?? ''
          if (assigned === '') throw new Error('there is none')
        }),
        b.tries({ clientId: '' }),
        b.expectThat('CONNACK with another one', (packet) => {
          if (packet.type !== 'CONNACK') throw new Error(packet.type)
          const other = packet.properties?.assignedClientIdentifier ?? ''
          if (other === '' || other === assigned) throw new Error(`"${other}"`)
        }),
        a.leaves(),
        {
          name: 'a connects with the identifier it was given',
          run: (world) =>
            a
              .connect({ clientId: assigned, session: 0 }, { sessionPresent: true, properties: {} })
              .run(world),
        },
        b.nothing(),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.3-8 server', '3.1.1 MQTT-3.1.3-9 server', '3.1.1 MQTT-3.2.2-5 server'],
      name: 'no identifier and no Clean Session is refused with 0x02',
      steps: [a.tries({ clientId: '', session: 1 }), a.expectHex('20 02 00 02'), a.closed()],
    },
    {
      covers: ['3.1.1 MQTT-3.2.2-4 server'],
      name: 'a refusal has Session Present 0 although there is a session',
      options: { authenticate: ({ username }) => username === 'good' },
      steps: [
        a.connect({ session: 1, username: 'good' }),
        a.leaves(),
        a.tries({ session: 1, username: 'bad', password: Buffer.from('x') }),
        a.expectHex('20 02 00 04'),
        a.closed(),
      ],
    },
    {
      covers: [],
      versions: [3],
      name: 'an empty one is refused with 0x02 in 3.1',
      steps: [a.tries({ clientId: '' }), a.expectHex('20 02 00 02'), a.closed()],
    },
    {
      covers: ['5.0 MQTT-3.1.3-8 server', '5.0 MQTT-1.5.4-1 server', '5.0 MQTT-1.5.4-2 server'],
      name: 'one that is no valid string is refused with 0x85',
      steps: ['ff', 'eda080', '00', '61c0'].flatMap((digits) => [
        a.open(),
        a.send(connectFrame(5, { payload: [text(hex(digits))] })),
        a.expectHex('20 03 00 85 00'),
        a.closed(),
      ]),
    },
    {
      covers: ['3.1.1 MQTT-1.5.3-1 server', '3.1.1 MQTT-1.5.3-2 server', '3.1.1 MQTT-3.1.3-9 server'],
      name: 'one that is no valid string does not come in',
      steps: ['ff', 'eda080', '00', '61c0'].flatMap((digits) => [
        a.open(),
        a.send(connectFrame(4, { payload: [text(hex(digits))] })),
        a.refused(0x85),
      ]),
    },
    {
      covers: ['5.0 MQTT-3.1.3-8 server'],
      name: 'one that is too long for this server is refused with 0x85',
      options: { limits: { clientIdLength: 10 } },
      steps: [
        a.tries({ clientId: '12345678901' }),
        a.refused(0x85),
        a.tries({ clientId: 'ääääää' }),
        a.refused(0x85),
        a.connect({ clientId: '1234567890' }),
      ],
    },
    {
      covers: ['3.1.1 MQTT-3.1.3-9 server'],
      name: 'one that is too long for this server is refused with 0x02',
      options: { limits: { clientIdLength: 10 } },
      steps: [a.tries({ clientId: '12345678901' }), a.expectHex('20 02 00 02'), a.closed()],
    },
    {
      covers: ['3.1.1 MQTT-1.5.3-1 server', '5.0 MQTT-1.5.4-1 server', '3.1.1 MQTT-3.2.2-6 server'],
      name: 'a user name or will topic that is no UTF-8 closes the connection',
      steps: (version) => [
        a.open(),
        a.send(connectFrame(version, { flags: 0x82, payload: ['a', text(hex('c328'))] })),
        a.closed(),
        a.open(),
        a.send(
          connectFrame(version, {
            flags: 0x06,
            payload: ['a', ...(version === 5 ? [0] : []), text(hex('eda080')), 'x'],
          }),
        ),
        a.closed(),
      ],
    },
    {
      covers: [
        '5.0 MQTT-3.1.4-2 server',
        '5.0 MQTT-3.2.2-6 server',
        '5.0 MQTT-3.2.2-7 server',
        '5.0 MQTT-4.13.2-1 server',
      ],
      name: 'who may not come in hears why, with Session Present 0 although there is a session',
      options: {
        authenticate: ({ username }) => (username === 'poor' ? { reasonCode: 0x87 } : username === 'good'),
      },
      steps: [
        a.connect({ session: 100, username: 'good' }),
        a.leaves(),
        a.tries({ session: 100, username: 'bad' }),
        a.expectHex('20 03 00 86 00'),
        a.closed(),
        a.tries({ session: 100, username: 'poor' }),
        a.expectHex('20 03 00 87 00'),
        a.closed(),
        a.connect({ session: 100, username: 'good' }, { sessionPresent: true }),
      ],
    },
    {
      covers: [],
      versions: [4],
      name: 'who may not come in hears 0x04 or 0x05',
      options: {
        authenticate: ({ username }) => (username === 'poor' ? { reasonCode: 0x87 } : username === 'good'),
      },
      steps: [
        a.tries({ username: 'bad' }),
        a.expectHex('20 02 00 04'),
        a.closed(),
        a.tries({ username: 'poor' }),
        a.expectHex('20 02 00 05'),
        a.closed(),
      ],
    },
  ],
}
