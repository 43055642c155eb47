import type { Authenticator } from '@pipit/broker'
import type { ConnackProperties, Packet } from '@pipit/protocol'
import { frame, properties, publish, suback, subscribe } from '../kit/packets.ts'
import type { Table } from '../kit/row.ts'
import { a, b, type ConnectFields } from '../kit/steps.ts'

/** Asks on and on, until it hears `good` or `bad`. */
const echo: Authenticator = {
  method: 'ECHO',
  begin: () => ({
    step: (data) => {
      const said = Buffer.from(data ?? []).toString()
      if (said === 'good') return { reasonCode: 0, authenticationData: Buffer.from('welcome') }
      if (said === 'bad') return { reasonCode: 0x87, reasonString: 'a reason that is longer than the packet' }
      return { challenge: Buffer.from(`${said}, and who?`) }
    },
  }),
}

function asks(data: string): ConnectFields {
  return { properties: { authenticationMethod: 'ECHO', authenticationData: Buffer.from(data) } }
}

function auth5(reasonCode: 0 | 0x18 | 0x19, data: string, authenticationMethod = 'ECHO'): Packet {
  return {
    type: 'AUTH',
    reasonCode,
    properties: { authenticationMethod, authenticationData: Buffer.from(data) },
  }
}

const challenge = (data: string): Packet => auth5(0x18, data)

const answer = (data: string, reasonCode: 0 | 0x18 | 0x19 = 0x18, method?: string): Packet =>
  auth5(reasonCode, data, method)

function connackOf(packet: Packet): ConnackProperties {
  if (packet.type !== 'CONNACK' || packet.reasonCode !== 0) throw new Error(JSON.stringify(packet))
  return packet.properties ?? {}
}

/** AUTH and authentication methods. */
export const auth: Table = {
  title: '3.15 and 4.12 Enhanced authentication',
  rows: [
    {
      covers: ['5.0 MQTT-4.12.0-1 server'],
      name: 'a method that the server does not have is refused with 0x8C',
      steps: [
        a.tries({ properties: { authenticationMethod: 'none of ours' } }),
        a.expectHex('20 03 00 8c 00'),
        a.closed(),
        a.tries({
          properties: { authenticationMethod: 'none of ours', authenticationData: Buffer.from('x') },
        }),
        a.refused(0x8c),
      ],
    },
    {
      covers: ['5.0 MQTT-4.12.0-6 server', '5.0 MQTT-3.2.0-1 server'],
      name: 'who named no method gets no AUTH, and no method in CONNACK',
      steps: [
        a.connect({ username: 'user', password: Buffer.from('secret') }, { properties: {} }),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-4.13.1-1 server'],
      name: 'AUTH of a client that named no method is a Protocol Error, whatever its flags',
      steps: [
        'f0 00',
        'f1 00',
        'f0',
        frame(0xf0, 0x19, properties(0x15, 'SCRAM-SHA-256')),
        frame(0xf0, 0x18, properties()),
      ].flatMap((what) => [a.connect(), a.send(what), a.cutOff(0x82)]),
    },
    {
      covers: [
        '5.0 MQTT-4.12.0-2 server',
        '5.0 MQTT-4.12.0-5 server',
        '5.0 MQTT-3.15.2-1 server',
        '5.0 MQTT-3.2.0-1 server',
      ],
      name: 'a server that needs more says AUTH 0x18; AUTH and CONNACK name the method',
      options: { authenticators: [echo] },
      steps: [
        a.tries(asks('hello')),
        a.expect(challenge('hello, and who?')),
        a.send(answer('me')),
        a.expect(challenge('me, and who?')),
        a.send(answer('good')),
        a.expectThat('CONNACK 0x00 with method and data', (packet) => {
          const { authenticationMethod, authenticationData } = connackOf(packet)
          const data = Buffer.from(authenticationData ?? []).toString()
          if (authenticationMethod !== 'ECHO' || data !== 'welcome') throw new Error(JSON.stringify(packet))
        }),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-4.12.0-4 server', '5.0 MQTT-3.1.4-6 server'],
      name: 'a server may refuse at any step',
      options: { authenticators: [echo] },
      steps: [
        a.tries(asks('bad')),
        a.refused(0x87),
        a.tries(asks('hello')),
        a.expect(challenge('hello, and who?')),
        a.send(answer('bad'), publish('t', 'x')),
        a.refused(0x87),
      ],
    },
    {
      covers: ['5.0 MQTT-4.12.0-5 server', '5.0 MQTT-3.15.2-1 server'],
      name: 'AUTH of another method, or with a code that cannot come now, does not bring a client in',
      options: { authenticators: [echo] },
      steps: [answer('good', 0x18, 'OTHER'), answer('good', 0x19), answer('good', 0)].flatMap((wrong) => [
        a.tries(asks('hello')),
        a.expect(challenge('hello, and who?')),
        a.send(wrong),
        a.refused(0x82),
      ]),
    },
    {
      covers: [],
      versions: [5],
      name: 'what is neither AUTH nor DISCONNECT does not pass before CONNACK',
      options: { authenticators: [echo] },
      steps: [
        b.connect(),
        b.send(subscribe(1, 't')),
        b.expect(suback(1, 0)),
        a.tries(asks('hello')),
        a.expect(challenge('hello, and who?')),
        a.send(publish('t', 'x')),
        a.refused(0x82),
        b.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-3.15.1-1 server'],
      name: 'AUTH with flags is malformed',
      options: { authenticators: [echo] },
      steps: [
        a.tries(asks('good')),
        a.expectThat('CONNACK', connackOf),
        a.send(frame(0xf1, 0x19, properties(0x15, 'ECHO'))),
        a.cutOff(0x81),
      ],
    },
    {
      covers: ['5.0 MQTT-3.15.2-1 server', '5.0 MQTT-4.12.0-5 server'],
      name: 'a client that is connected proves again who it is, while everything goes on',
      options: { authenticators: [echo] },
      steps: [
        a.tries(asks('good')),
        a.expectThat('CONNACK', connackOf),
        a.send(answer('hello', 0x19)),
        a.expect(challenge('hello, and who?')),
        a.send(subscribe(1, 't'), publish('t', 'x')),
        a.expect(suback(1, 0), publish('t', 'x')),
        a.send(answer('good')),
        a.expect(auth5(0, 'welcome')),
        a.nothing(),
      ],
    },
    {
      covers: ['5.0 MQTT-4.12.1-2 server'],
      name: 'who fails to prove it again hears why in DISCONNECT, and is cut off',
      options: { authenticators: [echo] },
      steps: [
        a.tries(asks('good')),
        a.expectThat('CONNACK', connackOf),
        a.send(answer('bad', 0x19)),
        a.cutOff(0x87),
      ],
    },
    {
      covers: ['5.0 MQTT-3.15.2-2 server', '5.0 MQTT-3.15.2-3 server'],
      name: 'no Reason String, and no User Property, takes AUTH over the client’s maximum',
      options: { authenticators: [echo], reasonStrings: true },
      steps: [
        a.tries({ properties: { ...asks('hello').properties, maximumPacketSize: 29 } }),
        a.expectHex('f0 1b 18 19 15 0004 4543484f 16 000f 68656c6c6f2c20616e642077686f3f'),
      ],
    },
    {
      covers: ['3.1.1 MQTT-4.8.0-1 server'],
      name: 'packet type 15 does not exist in 3.1.1',
      steps: [a.connect(), a.send('f0 00'), a.closed()],
    },
  ],
}
