import { Broker } from '@pipit/broker'
import { connect } from '@pipit/client'
import { afterEach, expect, test } from 'vitest'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const pattern = (length: number): Buffer =>
  Buffer.from(new Uint8Array(length).map((_, i) => (i * 31) ^ (i >> 8)))

for (const size of [0, 125, 126, 65_535, 70_000, 1_000_000]) {
  test(`${size} bytes go over WebSocket and come back at each QoS`, async () => {
    const broker = new Broker()
    cleanUps.push(() => broker.close())
    const { port } = await broker.listenWebSocket({ port: 0, host: '127.0.0.1' })
    const client = await connect(`ws://127.0.0.1:${port}/mqtt`)
    cleanUps.push(() => client.close())
    const messages = await client.subscribe('large', { qos: 2 })
    for (const qos of [0, 1, 2] as const) {
      const published = client.publish('large', pattern(size), { qos })
      const { value } = await messages.next()
      expect(value?.qos).toBe(qos)
      expect(Buffer.compare(value?.payload ?? Buffer.of(1), pattern(size))).toBe(0)
      await published
    }
    expect(await client.ping()).toBeGreaterThan(0)
  })
}

test('a will is published when a client says 0x04 at the end, and is not when it says 0x00', async () => {
  const broker = new Broker()
  cleanUps.push(() => broker.close())
  const { port } = await broker.listenWebSocket({ port: 0, host: '127.0.0.1' })
  const seen: string[] = []
  for (const reasonCode of [0x00, 0x04] as const) {
    const watcher = await connect(`ws://127.0.0.1:${port}/mqtt`)
    cleanUps.push(() => watcher.close())
    const messages = await watcher.subscribe('last/#')
    const will = { topic: 'last/will', payload: `will ${reasonCode}` }
    const client = await connect(`ws://127.0.0.1:${port}/mqtt`, { version: '5.0', will })
    await client.close({ reasonCode })
    await watcher.publish('last/marker', `marker ${reasonCode}`)
    const marker = `marker ${reasonCode}`
    for await (const message of messages) {
      seen.push(message.text())
      if (message.text() === marker) break
    }
  }
  expect(seen).toEqual(['marker 0', 'will 4', 'marker 4'])
})
