import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LightningCollector, MeshCollector, Store } from '../src/index.ts'
import { testFolder } from './folder.ts'
import { closedPort } from './servers.ts'

// The client takes its clock and its dice when it is loaded: these are there before.
vi.hoisted(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  Math.random = () => 1 - 2 ** -30
})

const centre = { latitude: 48, longitude: 9 }

test.each([
  ['MeshCollector', MeshCollector],
  ['LightningCollector', LightningCollector],
])('%s: the delay doubles with each failure from 1 s to 120 s, and goes no further', async (_, Kind) => {
  const store = new Store({ path: join(testFolder(), 'data.db') })
  const broker = `mqtt://127.0.0.1:${await closedPort()}`
  const collector = new Kind({ store, broker, log: () => {}, centre, radiusKm: 10 })
  onTestFinished(async () => {
    await collector.stop()
    await store.close(500)
  })
  const delays: number[] = []
  collector.start()
  while (delays.length < 10) {
    const { state } = collector
    if (state.state === 'waiting' && state.failures > delays.length) {
      // The dice fall on the upper end of what is drawn from.
      delays.push(state.retryInMs + 1)
      vi.advanceTimersByTime(state.retryInMs)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(delays.map((ms) => ms / 1000)).toEqual([1, 2, 4, 8, 16, 32, 64, 120, 120, 120])
  expect(collector.metrics().attempts).toBeGreaterThanOrEqual(10)
})
