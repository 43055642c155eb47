// A broker for bench/storage, in a process of its own: `node storage-broker-process.ts '{"port":1883,"data":…}'`. It prints how long its
// event loop was blocked between two SIGUSR2, and ends on SIGTERM.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Broker, type Durability } from '@pipit/broker'

export interface StorageBrokerOptions {
  readonly port: number
  /** Absent: in memory. */
  readonly data?: string
  readonly durability?: Durability
}

const { port, data, durability } = JSON.parse(process.argv[2] ?? '{}') as StorageBrokerOptions
const begun = performance.now()
const broker = new Broker({ data, durability })
await broker.open()
const openedMs = performance.now() - begun
await broker.listen({ port, host: '127.0.0.1' })
const delay = monitorEventLoopDelay({ resolution: 1 })
process.on('SIGUSR2', () => {
  const { rss } = process.memoryUsage()
  const p99Ms = delay.percentile(99) / 1e6
  const storageMs = broker.journal?.longestMs ?? 0
  console.log(JSON.stringify({ p99Ms, maxMs: delay.max / 1e6, storageMs, rssMB: rss / 1048576 }))
  if (broker.journal !== undefined) broker.journal.longestMs = 0
  delay.reset()
  delay.enable()
})
process.on('SIGTERM', () => void broker.close().then(() => process.exit(0)))
console.log(JSON.stringify({ openedMs, sessions: broker.sessions.size }))
