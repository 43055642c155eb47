import { expect, test } from 'vitest'
import { DeviceClient, type ReceivedMessage, SimulatedBroker } from '../src/index.ts'

function simulated(options: object = {}) {
  const printed: string[] = []
  const client = new DeviceClient({
    clientId: 'esp32-s3',
    server: '127.0.0.1',
    simulate: true,
    print: (line) => void printed.push(line),
    ...options,
  })
  return { client, printed }
}

test('simulate: true prints what is published, and simulateMessage() plays the others', async () => {
  const { client, printed } = simulated()
  const got: string[] = []
  client.onMessage((message) => void got.push(`${message.topic} ${message.text()}`))
  expect(await client.connect()).toBe(true)
  await client.subscribe('home/+/set')
  await client.publish('home/lamp/state', 'on', { qos: 1, retain: true })
  client.simulateMessage('home/lamp/set', 'off')
  client.simulateMessage('elsewhere', 'x')
  await client.ping()
  expect(printed).toEqual(['esp32-s3: home/lamp/state on (QoS 1) (retained)'])
  expect(got).toEqual(['home/lamp/set off'])
})

test('readTopic() gives the retained message, the next one, or undefined when the broker goes', async () => {
  const broker = new SimulatedBroker()
  const { client } = simulated({ simulatedBroker: broker })
  await client.connect()
  broker.publish('config', '{"version":1}', { retain: true })
  expect((await client.readTopic('config'))?.json()).toEqual({ version: 1 })
  const next = client.readTopic('later')
  broker.publish('later', 'now')
  expect((await next)?.text()).toBe('now')
  expect(await client.readTopic('never', 0)).toBeUndefined()
  const lost = client.readTopic('never')
  broker.stop()
  expect(await lost).toBeUndefined()
  expect(client.connected).toBe(false)
  expect(await client.connect()).toBe(false)
  expect(client.failure?.message).toBe('the simulated broker is away')
})

test('checkMessages() hands over what has come, at once, with `polled`', async () => {
  const { client } = simulated({ polled: true })
  const got: ReceivedMessage[] = []
  client.onMessage((message) => void got.push(message))
  await client.connect()
  await client.subscribe('a')
  client.simulateMessage('a', '1')
  client.simulateMessage('a', '2')
  await client.ping()
  expect(got).toEqual([])
  expect(client.checkMessages()).toBe(2)
  expect(got.map((message) => message.text())).toEqual(['1', '2'])
  expect(client.checkMessages()).toBe(0)
})
