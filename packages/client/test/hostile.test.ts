import { encode, type Packet } from '@pipit/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { type ClientOptions, type MqttClient, open } from '../src/index.ts'
import { memoryBroker, type Peer } from './scripted-broker.ts'

let client: MqttClient | undefined
afterEach(() => client?.close({ force: true }))

interface Started {
  readonly running: MqttClient
  readonly peer: Peer
}

async function connected(options: ClientOptions = {}): Promise<Started> {
  const broker = memoryBroker()
  const running = open(broker.url, {
    transport: broker.transport,
    version: '5.0',
    reconnect: false,
    clientId: 'c',
    ...options,
  })
  client = running
  const peer = await broker.accept()
  const onConnect = new Promise<void>((resolve) => running.onConnect(() => resolve()))
  await peer.welcome()
  await onConnect
  return { running, peer }
}

const bytes = (...hex: string[]): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.join('').replace(/ /g, ''), 'hex'))
const ALIVE = encode(publish(65535, 1, 'alive check'), 5)

function publish(packetId: number, qos: 0 | 1 | 2, topic = 't'): Packet {
  return { type: 'PUBLISH', topic, payload: new Uint8Array(0), qos, retain: false, dup: false, packetId }
}

/** What a server must not send, and the reason code of our DISCONNECT. */
const FATAL: Record<string, [reasonCode: number, input: Uint8Array]> = {
  'a second CONNACK': [0x82, bytes('20 03 00 00 00')],
  CONNECT: [0x82, bytes('10 0d 0004 4d515454 05 02 003c 00 0000')],
  SUBSCRIBE: [0x82, bytes('82 07 0001 00 0001 61 00')],
  UNSUBSCRIBE: [0x82, bytes('a2 06 0001 00 0001 61')],
  PINGREQ: [0x82, bytes('c0 00')],
  'AUTH that nobody asked for': [0x82, bytes('f0 00')],
  'packet type 0': [0x82, bytes('00 00')],
  'a Remaining Length of five bytes': [0x81, bytes('30 ff ff ff ff 01')],
  'a PUBLISH of 256 MB, announced': [0x95, bytes('30 ff ff ff 7f')],
  'PUBLISH with QoS 3': [0x81, bytes('36 06 0001 74 0001 00')],
  'PUBLISH with Packet Identifier 0': [0x82, bytes('32 06 0001 74 0000 00')],
  'PUBLISH with a wildcard in its topic': [0x81, bytes('30 04 0001 23 00')],
  'PUBLISH with U+0000 in its topic': [0x81, bytes('30 04 0001 00 00')],
  'PUBLISH with a Topic Alias we did not allow': [0x94, bytes('30 07 0001 74 03 23 0001')],
  'PUBLISH with Subscription Identifier 0': [0x82, bytes('30 06 0001 74 02 0b 00')],
  'PUBLISH with an unknown property': [0x81, bytes('30 06 0001 74 02 7f 00')],
  'PUBLISH with a property of another packet': [0x82, bytes('30 07 0001 74 03 21 0001')],
  'PUBACK with Packet Identifier 0': [0x82, bytes('40 02 0000')],
  'PUBACK with wrong flags': [0x81, bytes('41 02 0001')],
  'PUBACK with an unknown reason code': [0x82, bytes('40 03 0001 05')],
  'PUBREL with wrong flags': [0x81, bytes('60 02 0001')],
  'SUBACK that nobody waits for': [0x82, bytes('90 04 0007 00 00')],
  'PINGRESP with a body': [0x81, bytes('d0 01 00')],
}

/** What a server may send, however odd, and what we answer. */
const HARMLESS: Record<string, [input: Uint8Array, ...answers: Partial<Packet>[]]> = {
  'PUBACK that nobody waits for': [bytes('40 02 0007')],
  'PUBACK that nobody waits for, refusing': [bytes('40 03 0007 97')],
  'PUBREC that nobody waits for': [bytes('50 02 0007'), { type: 'PUBREL', packetId: 7, reasonCode: 0 }],
  'PUBREC that nobody waits for, refusing': [bytes('50 03 0007 97')],
  'PUBREL that nobody waits for': [bytes('62 02 0007'), { type: 'PUBCOMP', packetId: 7, reasonCode: 0 }],
  'PUBCOMP that nobody waits for': [bytes('70 02 0007')],
  'UNSUBACK that nobody waits for': [bytes('b0 04 0007 00 00')],
  'PINGRESP that nobody waits for': [bytes('d0 00')],
  'PUBLISH with several Subscription Identifiers': [bytes('30 08 0001 74 04 0b 01 0b 02')],
  'PUBLISH QoS 1': [bytes('32 06 0001 74 0007 00'), { type: 'PUBACK', packetId: 7, reasonCode: 0 }],
  'PUBLISH QoS 2': [bytes('34 06 0001 74 0007 00'), { type: 'PUBREC', packetId: 7, reasonCode: 0 }],
  'a copy of a QoS 2 message': [
    bytes('34 06 0001 74 0007 00', '3c 06 0001 74 0007 00'),
    { type: 'PUBREC', packetId: 7, reasonCode: 0 },
    { type: 'PUBREC', packetId: 7, reasonCode: 0 },
  ],
}

describe('a server that breaks the rules', () => {
  for (const [name, [reasonCode, input]] of Object.entries(FATAL)) {
    it(`is left with 0x${reasonCode.toString(16)}: ${name}`, async () => {
      const properties = { receiveMaximum: 20, maximumPacketSize: 1_000_000 }
      const { running, peer } = await connected({ properties })
      peer.sendBytes(input)
      expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode })
      await peer.closed
      expect(await running.closed).toMatchObject({ reasonCode })
    })

    it(`is left, in whatever slices it sends: ${name}`, async () => {
      const { running, peer } = await connected({ properties: { maximumPacketSize: 1_000_000 } })
      for (const byte of input) peer.sendBytes(Uint8Array.of(byte))
      expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode })
      await running.closed
    })
  }

  it('is left when it hangs up on CONNECT, with an error that says so', async () => {
    const broker = memoryBroker()
    client = open(broker.url, { transport: broker.transport, version: '5.0', reconnect: false })
    const peer = await broker.accept()
    await peer.expect('CONNECT')
    peer.end()
    expect(await client.closed).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  for (const [name, connack] of Object.entries({
    'Session Present after Clean Start': bytes('20 03 01 00 00'),
    'Assigned Client Identifier although it has one': bytes('20 07 00 00 04 12 0001 78'),
    'reserved flags': bytes('20 03 02 00 00'),
    'PUBLISH before CONNACK': bytes('30 04 0001 74 00'),
    'an unknown reason code': bytes('20 03 00 01 00'),
    'Receive Maximum 0': bytes('20 06 00 00 03 21 0000'),
  })) {
    it(`is left when its CONNACK is wrong: ${name}`, async () => {
      const broker = memoryBroker()
      client = open(broker.url, {
        transport: broker.transport,
        version: '5.0',
        reconnect: false,
        clientId: 'c',
      })
      const peer = await broker.accept()
      await peer.expect('CONNECT')
      peer.sendBytes(connack)
      await peer.closed
      expect(await client.closed).toBeInstanceOf(Error)
      expect(client.state).toBe('closed')
    })
  }

  it('gets an error for a PUBACK where PUBREC belongs', async () => {
    const { running, peer } = await connected()
    const result = running.publish('t', '', { qos: 2 })
    const { packetId } = await peer.expect('PUBLISH')
    peer.send({ type: 'PUBACK', packetId, reasonCode: 0 })
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x82 })
    await expect(result).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  })

  it('gets 0x93 when QoS 2 messages are never completed', async () => {
    const { running, peer } = await connected({ properties: { receiveMaximum: 10 } })
    for (let packetId = 1; packetId <= 11; packetId++) peer.send(publish(packetId, 2))
    for (let packetId = 1; packetId <= 10; packetId++) await peer.expect('PUBREC')
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x93 })
    await running.closed
  })

  it('gets 0x82 when it uses a Packet Identifier again that is not acknowledged', async () => {
    const { running, peer } = await connected()
    running.onMessage(() => new Promise(() => {}))
    peer.send(publish(3, 1))
    peer.send(publish(3, 1))
    expect(await peer.expect('DISCONNECT')).toMatchObject({ reasonCode: 0x82 })
    await running.closed
  })
})

describe('a server that is odd but legal', () => {
  for (const [name, [input, ...answers]] of Object.entries(HARMLESS)) {
    it(`is answered, and the connection lives: ${name}`, async () => {
      const { peer } = await connected()
      peer.sendBytes(input)
      peer.sendBytes(ALIVE)
      for (const answer of answers) expect(await peer.next()).toMatchObject(answer)
      expect(await peer.next()).toMatchObject({ type: 'PUBACK', packetId: 65535, reasonCode: 0 })
    })
  }
})

describe('MQTT 3.1.1', () => {
  it('is left without a word on DISCONNECT, AUTH and SUBACK of another length', async () => {
    for (const input of [bytes('e0 00'), bytes('f0 00'), bytes('90 04 0001 00 00')]) {
      const { running, peer } = await connected({ version: '3.1.1' })
      const subscribing = running.subscribe('t').catch((error: { code: string }) => error.code)
      await peer.expect('SUBSCRIBE')
      peer.sendBytes(input)
      expect(await peer.next()).toBeUndefined()
      expect(await subscribing).toBe('SESSION_ENDED')
    }
  })
})
