import { afterEach, expect, test } from 'vitest'
import { type ClientOptions, type MqttClient, open } from '../src/index.ts'
import { memoryBroker, type Peer } from './scripted-broker.ts'

const clients: MqttClient[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ force: true })))
})

function start(options: ClientOptions) {
  const broker = memoryBroker()
  const client = open(broker.url, { transport: broker.transport, version: '3.1.1', ...options })
  clients.push(client)
  return { broker, client }
}

test('bridge: CONNECT says so, and again on each connection', async () => {
  const { broker } = start({ bridge: true, reconnect: { delayMs: () => 0 } })
  const first = await broker.accept()
  expect((await first.welcome()).bridge).toBe(true)
  first.reset()
  expect((await (await broker.accept()).welcome()).bridge).toBe(true)
})

test.each([
  [
    'refuses the version',
    (peer: Peer) => peer.send({ type: 'CONNACK', sessionPresent: false, reasonCode: 1 }),
  ],
  ['hangs up', (peer: Peer) => peer.reset()],
])('bridge: a server that %s is asked again without, at once and for good', async (_, refuse) => {
  const { broker, client } = start({ bridge: true, reconnect: { delayMs: () => 0 } })
  const first = await broker.accept()
  expect((await first.expect('CONNECT')).bridge).toBe(true)
  refuse(first)
  const second = await broker.accept()
  expect((await second.welcome()).bridge).toBe(false)
  await client.started
  second.reset()
  expect((await (await broker.accept()).welcome()).bridge).toBe(false)
})

test('reconnect.delayMs is asked how long to wait, with the failures so far', async () => {
  const asked: number[] = []
  const { broker } = start({
    reconnect: {
      delayMs: (failures) => {
        asked.push(failures)
        return 0
      },
    },
  })
  for (let i = 0; i < 3; i++) {
    const peer = await broker.accept()
    await peer.expect('CONNECT')
    peer.reset()
  }
  await (await broker.accept()).welcome()
  expect(asked).toEqual([1, 2, 3])
})
