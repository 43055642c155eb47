import { Broker, type BrokerOptions, type TcpListenOptions } from '@pipit/broker'
import { afterEach, describe, expect, test } from 'vitest'
import { Peer } from './peer.ts'

const brokers: Broker[] = []
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()))
})

/** A broker, and the ports of its listeners. */
async function start(options: BrokerOptions, ...listeners: TcpListenOptions[]): Promise<number[]> {
  const broker = new Broker({ sysInterval: 0, ...options })
  brokers.push(broker)
  const ports: number[] = []
  for (const each of listeners) ports.push((await broker.listen({ port: 0, ...each })).port)
  return ports
}

describe('rules of a listener', () => {
  test('maximumQoS and topicAliasMaximum hold here, and the others for the rest', async () => {
    const [strict = 0, open = 0] = await start({}, { maximumQoS: 1, topicAliasMaximum: 0 }, {})
    const [one, other] = [
      await Peer.open(strict, { clientId: 'one' }),
      await Peer.open(open, { clientId: 'other' }),
    ]
    expect(one.connack?.properties).toEqual({ maximumQoS: 1 })
    expect(other.connack?.properties).toEqual({ topicAliasMaximum: 10 })
    expect(await one.subscribe('a', 2)).toEqual([1])
    expect(await other.subscribe('a', 2)).toEqual([2])
    one.publish({ topic: 'a', qos: 2 })
    expect(await one.next('DISCONNECT')).toMatchObject({ reasonCode: 0x9b })
  })

  test('a listener does not allow more than the broker', async () => {
    const [port = 0] = await start({ maximumQoS: 0 }, { maximumQoS: 1 })
    const peer = await Peer.open(port, { clientId: 'c' })
    expect(await peer.subscribe('a', 2)).toEqual([0])
  })

  test.each([4, 5] as const)(
    'emptyClientId and assignedClientIdPrefix, version %i',
    async (protocolVersion) => {
      const [no = 0, yes = 0] = await start(
        { emptyClientId: false },
        {},
        { emptyClientId: true, assignedClientIdPrefix: 'here-' },
      )
      const refused = await Peer.open(no, { clientId: '', protocolVersion })
      expect(refused.connack?.reasonCode).toBe(protocolVersion === 5 ? 0x85 : 2)
      const { connack } = await Peer.open(yes, { clientId: '', protocolVersion })
      expect(connack?.reasonCode).toBe(0)
      if (protocolVersion === 5) expect(connack?.properties?.assignedClientIdentifier).toMatch(/^here-/)
      expect([...(brokers[0]?.clients ?? [])].map(({ clientId }) => clientId)[0]).toMatch(/^here-/)
    },
  )

  test('usernameAsClientId: whoever comes with the same user name has the session', async () => {
    const [port = 0] = await start({}, { usernameAsClientId: true })
    const first = await Peer.open(port, { clientId: 'x', username: 'ann' })
    const second = await Peer.open(port, { clientId: 'y', username: 'ann' })
    expect(await first.next('DISCONNECT')).toMatchObject({ reasonCode: 0x8e })
    expect([...(brokers[0]?.clients ?? [])].map(({ clientId }) => clientId)).toEqual(['ann'])
    await second.leave()
    const nobody = await Peer.open(port, { clientId: 'x' })
    expect(nobody.connack?.reasonCode).toBe(0x87)
  })
})

test.each([0, 1, 2] as const)('limits.payloadSize: what is larger is not delivered, QoS %i', async (qos) => {
  const [port = 0] = await start({ limits: { payloadSize: 3 } }, {})
  const peer = await Peer.open(port, { clientId: 'c' })
  await peer.subscribe('a', 0)
  peer.publish({ topic: 'a', payload: '1234', qos })
  if (qos > 0) expect(await peer.next(qos === 1 ? 'PUBACK' : 'PUBREC')).toMatchObject({ reasonCode: 0x83 })
  peer.publish({ topic: 'a', payload: '123' })
  const published = (await peer.drain()).filter(({ type }) => type === 'PUBLISH')
  expect(published).toHaveLength(1)
  expect(brokers[0]?.ledger.totals.get('payload too large')).toBe(1)
})

describe('a bridge', () => {
  test('that says so is not sent what it publishes, and gets RETAIN as it was', async () => {
    const [port = 0] = await start({}, {})
    const bridge = await Peer.open(port, { clientId: 'b', protocolVersion: 4, bridge: true })
    const plain = await Peer.open(port, { clientId: 'p', protocolVersion: 4 })
    for (const peer of [bridge, plain]) await peer.subscribe('#')
    bridge.publish({ topic: 'own', retain: true })
    plain.publish({ topic: 'kept', retain: true })
    expect(await plain.next('PUBLISH')).toMatchObject({ topic: 'own', retain: false })
    expect(await bridge.next('PUBLISH')).toMatchObject({ topic: 'kept', retain: true })
    expect(await bridge.drain()).toEqual([])
  })

  test('may say its state below $SYS, where nobody else may say anything', async () => {
    const [port = 0] = await start({}, {})
    const peer = await Peer.open(port, { clientId: 'b' })
    await peer.subscribe('$SYS/#')
    const topic = '$SYS/broker/connection/b/state'
    for (const each of ['$SYS/broker/uptime', '$SYS/broker/connection/a/b/state', topic]) {
      peer.publish({ topic: each, payload: '1', qos: 1, retain: true })
    }
    const codes = [await peer.next('PUBACK'), await peer.next('PUBACK'), await peer.next('PUBACK')]
    expect(codes.map(({ reasonCode }) => reasonCode)).toEqual([0x87, 0x87, 0])
    const later = await Peer.open(port, { clientId: 'l' })
    await later.subscribe(topic)
    expect(await later.next('PUBLISH')).toMatchObject({ topic, retain: true })
    peer.publish({ topic, payload: 'x'.repeat(101), qos: 1, retain: true })
    expect(await peer.next('PUBACK')).toMatchObject({ reasonCode: 0x97 })
  })
})
