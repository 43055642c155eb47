import { afterEach, expect, test } from 'vitest'
import type { ReceivedMessage } from '../message.ts'
import type { Wire } from '../wire.ts'
import { ModelWorld } from './model-world.ts'
import { checkScenario } from './scenario.ts'
import { VirtualClock } from './virtual-clock.ts'

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
const text = new TextDecoder()
const bytes = (words: string) => new TextEncoder().encode(words)
const fast = { latency: '40ms', latency_spread: 0 }

/** A world, its clock and what its collector has got. */
function made(document: object = { network: fast }) {
  const { scenario, faults } = checkScenario(document)
  expect(faults).toEqual([])
  const clock = new VirtualClock()
  const collected: string[] = []
  const world = new ModelWorld(scenario, clock, 'fleet/+/reading', (topic, payload) => {
    collected.push(`${topic} ${text.decode(payload)}`)
  })
  const run = (ms: number) => clock.run(clock.now() + ms, settled)
  return { world, clock, collected, run, scenario }
}

let lost: string[] = []
let received: ReceivedMessage[] = []
afterEach(() => {
  lost = []
  received = []
})

const receiver = {
  received: (message: ReceivedMessage) => void received.push(message),
  lost: (error: Error) => void lost.push(error.message),
}

/** What a promise has come to by now. */
function fate<T>(promise: Promise<T>) {
  const seen: { value?: T; error?: string; at?: number } = {}
  promise.then(
    (value) => Object.assign(seen, { value }),
    (error: Error) => Object.assign(seen, { error: error.message }),
  )
  return seen
}

async function connected({ world, run }: ReturnType<typeof made>, device = 0) {
  const radio = world.radio(device, `d-${device}`)
  const opening = fate(radio.open(receiver))
  await run(1000)
  return { radio, wire: opening.value as Wire }
}

test('a connection takes two round trips, a publish at QoS 1 one more and the commit', async () => {
  const parts = made()
  const opening = fate(parts.world.radio(0, 'd').open(receiver))
  await parts.run(159)
  expect(opening.value).toBeUndefined()
  await parts.run(1)
  const publishing = fate((opening.value as Wire).publish('fleet/d/reading', bytes('21'), { qos: 1 }))
  await parts.run(81)
  expect(publishing).toEqual({})
  await parts.run(1)
  expect(publishing).toEqual({ value: undefined })
  expect(parts.collected).toEqual(['fleet/d/reading 21'])
  const traffic = opening.value?.traffic()
  expect(traffic?.bytesSent).toBeGreaterThan(30)
  expect(traffic?.bytesReceived).toBeGreaterThan(5)
})

test('subscribing brings what is retained, then what is published; the broker keeps both over a restart', async () => {
  const parts = made({ network: fast, outages: [{ at: '1h', for: '1m' }] })
  const publishing = fate(parts.world.publish('fleet/d/config', '{"version":1}'))
  await parts.run(10)
  expect(publishing).toEqual({ value: undefined })
  await parts.world.fail(parts.scenario.outages[0] as never)
  await parts.run(60_000)
  await parts.world.recover(parts.scenario.outages[0] as never)
  const { wire } = await connected(parts)
  const subscribing = fate(wire.subscribe('fleet/d/config', 1))
  await parts.run(80)
  expect(subscribing).toEqual({ value: undefined })
  expect(received.map((message) => [message.text(), message.retain, message.qos])).toEqual([
    ['{"version":1}', true, 1],
  ])
  void parts.world.publish('fleet/d/config', '{"version":2}')
  await parts.run(100)
  expect(received.map((message) => [message.text(), message.retain])).toEqual([
    ['{"version":1}', true],
    ['{"version":2}', false],
  ])
})

test('a broker that is killed breaks connections, refuses new ones, and never loses what it acknowledged', async () => {
  const parts = made({ network: fast, outages: [{ at: '1h', for: '1m' }] })
  const [outage] = parts.scenario.outages
  const { wire } = await connected(parts)
  const first = fate(wire.publish('fleet/d/reading', bytes('1'), { qos: 1 }))
  // It is with the broker and not safe yet.
  await parts.run(41)
  await parts.world.fail(outage as never)
  await parts.run(100)
  expect(first).toEqual({ error: 'connection reset' })
  expect(lost).toEqual(['connection reset'])
  expect(parts.collected).toEqual([])
  const refused = fate(parts.world.radio(1, 'e').open(receiver))
  await parts.run(80)
  expect(refused).toEqual({ error: 'connection refused' })
  await parts.world.recover(outage as never)
  const { wire: again } = await connected(parts)
  const second = fate(again.publish('fleet/d/reading', bytes('1'), { qos: 1 }))
  await parts.run(100)
  expect(second).toEqual({ value: undefined })
  expect(parts.collected).toEqual(['fleet/d/reading 1'])
})

test('what the collector had not acknowledged when the broker died comes to it once more', async () => {
  const parts = made({ network: fast, outages: [{ at: '1h', for: '1m' }] })
  const [outage] = parts.scenario.outages
  const { wire } = await connected(parts)
  void wire.publish('fleet/d/reading', bytes('1'), { qos: 1 }).catch(() => {})
  await parts.run(43.5)
  expect(parts.collected).toHaveLength(1)
  await parts.world.fail(outage as never)
  await parts.world.recover(outage as never)
  await parts.run(2000)
  expect(parts.collected).toEqual(['fleet/d/reading 1', 'fleet/d/reading 1'])
})

test('a link that is dark stalls a publish, which goes on when it is not', async () => {
  const parts = made({ network: fast, outages: [{ at: '2s', for: '2s', kind: 'unreachable' }] })
  const { wire } = await connected(parts)
  await parts.run(1500)
  const publishing = fate(wire.publish('fleet/d/reading', bytes('1'), { qos: 1 }))
  await parts.run(1400)
  expect(publishing).toEqual({})
  await parts.run(5000)
  expect(publishing).toEqual({ value: undefined })
  expect(parts.collected).toHaveLength(1)
})

test('a link that is dark for long ends a connection, and opening one runs out of time', async () => {
  const parts = made({
    network: { ...fast, connect_timeout: '5s' },
    outages: [{ at: '2s', for: '1h', kind: 'unreachable' }],
  })
  const { wire } = await connected(parts)
  await parts.run(1500)
  const publishing = fate(wire.publish('fleet/d/reading', bytes('1'), { qos: 1 }))
  const opening = fate(parts.world.radio(1, 'e').open(receiver))
  await parts.run(5000)
  expect(opening).toEqual({ error: 'no answer in 5000 ms' })
  await parts.run(10_000)
  expect(publishing).toEqual({ error: 'no acknowledgement from the other side' })
  expect(lost).toEqual(['no acknowledgement from the other side'])
})

test('a device whose power goes hears nothing more; what was in the air still comes to the broker', async () => {
  const parts = made()
  const { wire, radio } = await connected(parts)
  const publishing = fate(wire.publish('fleet/d/reading', bytes('1'), { qos: 1 }))
  await parts.run(10)
  radio.cut()
  await parts.run(120_000)
  expect(publishing).toEqual({})
  expect(lost).toEqual([])
  expect(parts.collected).toEqual(['fleet/d/reading 1'])
})

test('QoS 0 and 2, ping and goodbye work as at a broker', async () => {
  const parts = made()
  const { wire } = await connected(parts)
  const [zero, two, ping] = [
    fate(wire.publish('fleet/d/reading', bytes('0'), { qos: 0 })),
    fate(wire.publish('fleet/d/reading', bytes('2'), { qos: 2 })),
    fate(wire.ping()),
  ]
  expect(two).toEqual({})
  await parts.run(200)
  expect(zero).toEqual({ value: undefined })
  expect(two).toEqual({ value: undefined })
  expect(ping.value).toBeCloseTo(80, 0)
  expect(parts.collected).toEqual(['fleet/d/reading 0', 'fleet/d/reading 2'])
  const closing = fate(wire.close())
  await parts.run(40)
  expect(closing).toEqual({ value: undefined })
  await expect(wire.publish('a', bytes(''), { qos: 1 })).rejects.toThrow('there is no connection')
  expect(lost).toEqual([])
})
