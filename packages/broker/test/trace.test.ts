import { afterEach, expect, test } from 'vitest'
import { Bench, text, type Wire } from './wire.ts'

const bench = new Bench()
afterEach(() => bench.end())

const followed = (id: string) => ({
  properties: { userProperties: [['a', 'b'] as const, ['pipit-trace', id] as const] },
})

/** A publisher, a light that is subscribed, and someone who looks at the times. */
async function three(trace: boolean): Promise<{ publisher: Wire; light: Wire; watcher: Wire }> {
  const { port } = await bench.broker({ trace })
  const publisher = await bench.connect(port, { clientId: 'p' })
  const light = await bench.connect(port, { clientId: 'l' })
  await light.subscribe('led')
  const watcher = await bench.connect(port, { clientId: 'w' })
  await watcher.subscribe('$SYS/broker/trace/#')
  return { publisher, light, watcher }
}

const now = () => Number(process.hrtime.bigint()) / 1000

test('a PUBLISH that asks for it is told of, in the order of its way, and forwarded as it came', async () => {
  const { publisher, light, watcher } = await three(true)
  const before = now()
  publisher.publish('led', 'red', followed('abc-1'))
  const { topic, payload, retain } = await watcher.receive('PUBLISH')
  const after = now()
  expect([topic, retain]).toEqual(['$SYS/broker/trace/abc-1', false])
  const times = JSON.parse(text(payload)) as Record<'received' | 'routed' | 'written', number>
  expect(times).toMatchObject({ id: 'abc-1', topic: 'led', receivers: 1, clock: expect.stringMatching(/./) })
  const order = [before, times.received, times.routed, times.written, after]
  expect(order).toEqual([...order].sort((a, b) => a - b))
  const { payload: red, properties } = await light.receive('PUBLISH')
  expect(text(red)).toBe('red')
  expect(properties).toEqual(followed('abc-1').properties)
})

test('so is one at QoS 1, and one that nobody is subscribed to', async () => {
  const { publisher, watcher } = await three(true)
  publisher.publish('led', '', { qos: 1, ...followed('one') })
  await publisher.receive('PUBACK')
  expect((await watcher.receive('PUBLISH')).topic).toBe('$SYS/broker/trace/one')
  publisher.publish('dark', '', followed('two'))
  expect(JSON.parse(text((await watcher.receive('PUBLISH')).payload))).toMatchObject({
    id: 'two',
    receivers: 0,
  })
})

test('others are not: without the property, with a value that no topic can have, at QoS 2', async () => {
  const { publisher, light, watcher } = await three(true)
  publisher.publish('led', '', { properties: { contentType: 'x' } })
  publisher.publish('led', '', followed('a/b'))
  publisher.publish('led', '', { qos: 2, ...followed('two') })
  await publisher.receive('PUBREC')
  for (let i = 0; i < 2; i++) await light.receive('PUBLISH')
  publisher.publish('led', '', followed('last'))
  expect((await watcher.receive('PUBLISH')).topic).toBe('$SYS/broker/trace/last')
})

test('without the option nothing is told', async () => {
  const { publisher, light, watcher } = await three(false)
  publisher.publish('led', '', followed('abc'))
  await light.receive('PUBLISH')
  await publisher.settles()
  await watcher.settles()
})
