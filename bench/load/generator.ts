// The load generator: a process of its own, `node generator.ts '{"port":1883,…}'`. It connects publishers and
// subscribers to a broker, keeps their credit in flight, checks every message, and writes one line of JSON.
import type { QoS } from '@pipit/protocol'
import { cpuSeconds } from '../lib/cpu.ts'
import { Link } from './link.ts'
import { Publisher } from './publisher.ts'
import { Subscriber } from './subscriber.ts'

export interface LoadOptions {
  readonly port: number
  /** The broker's process, whose CPU time is read; absent: it is not measured. */
  readonly pid?: number
  readonly publishers: number
  /** Receivers of each publisher's messages. */
  readonly subscribers: number
  readonly qos: QoS
  readonly size: number
  readonly credit: number
  readonly window: number
  readonly warmUpSeconds: number
  readonly seconds: number
  /** Instead of a time: messages for each publisher to send. */
  readonly messages?: number
  /** Sessions that outlive their connections. */
  readonly persistent?: boolean
}

export interface LoadResult {
  /** Messages delivered while it was measured (in all, when `messages` was given). */
  readonly delivered: number
  readonly seconds: number
  readonly brokerCpuSeconds: number
  readonly generatorCpuSeconds: number
  /** From message to PUBACK, milliseconds: half of them, and all but one in a hundred, took no longer. */
  readonly ackMedianMs: number
  readonly ackP99Ms: number
  /** These four are counted over the whole run; anything but 0 is a fault. */
  readonly lost: number
  readonly repeated: number
  readonly strange: number
  readonly unacknowledged: number
}

interface Group {
  readonly publisher: Publisher
  readonly subscribers: readonly Subscriber[]
}

/** How long the end of a run may stand still before what is missing counts as lost. */
const PATIENCE_MS = 5000

async function measure(options: LoadOptions): Promise<LoadResult> {
  const links: Link[] = []
  const groups: Group[] = []
  let limit = 0
  const open = async (name: string) => {
    const link = await Link.open(options.port, name, options.persistent !== true)
    links.push(link)
    return link
  }
  for (let id = 0; id < options.publishers; id++) {
    const group: { publisher?: Publisher; subscribers: Subscriber[] } = { subscribers: [] }
    const pump = () => group.publisher?.pump(slowest(group.subscribers), limit)
    const topic = `bench/${id}`
    for (let s = 0; s < options.subscribers; s++) {
      const link = await open(`subscriber-${id}-${s}`)
      group.subscribers.push(new Subscriber(link, id, options.qos, options.size, pump))
      await link.subscribe(topic, options.qos)
    }
    const link = await open(`publisher-${id}`)
    group.publisher = new Publisher(link, { ...options, id, topic })
    link.events.chunkEnd = pump
    groups.push(group as Group)
  }
  const begin = (messages: number) => {
    limit = messages
    for (const { publisher, subscribers } of groups) publisher.pump(slowest(subscribers), limit)
  }

  begin(options.messages ?? Number.MAX_SAFE_INTEGER)
  if (options.messages === undefined) await wait(options.warmUpSeconds)
  const latencies = new Uint32Array(40_000)
  for (const { publisher } of groups) publisher.latencies = latencies
  const before = sample(groups, options.pid)
  if (options.messages === undefined) await wait(options.seconds)
  else await drained(groups)
  const after = sample(groups, options.pid)
  for (const { publisher } of groups) publisher.latencies = undefined
  limit = 0
  await drained(groups)
  for (const link of links) link.close()
  const from = options.messages === undefined ? before.delivered : 0
  return {
    delivered: after.delivered - from,
    seconds: after.seconds - before.seconds,
    brokerCpuSeconds: after.broker - before.broker,
    generatorCpuSeconds: after.generator - before.generator,
    ackMedianMs: quantile(latencies, 0.5),
    ackP99Ms: quantile(latencies, 0.99),
    ...faults(groups),
  }
}

/** The time that at least `share` of what was counted did not exceed, milliseconds. */
function quantile(counts: Uint32Array, share: number): number {
  const total = counts.reduce((sum, each) => sum + each, 0)
  let sum = 0
  for (let i = 0; i < counts.length; i++) {
    sum += counts[i]!
    if (total > 0 && sum >= share * total) return (i + 1) / 4
  }
  return Number.NaN
}

/** Messages that every receiver has; those it will never have count too, or the flow would stop. */
function slowest(subscribers: readonly Subscriber[]): number {
  let least = Number.MAX_SAFE_INTEGER
  for (const { received, lost } of subscribers) if (received + lost < least) least = received + lost
  return least
}

function sample(groups: readonly Group[], pid: number | undefined) {
  const { user, system } = process.cpuUsage()
  return {
    delivered: groups.reduce(
      (sum, { subscribers }) => sum + subscribers.reduce((n, s) => n + s.received, 0),
      0,
    ),
    seconds: performance.now() / 1000,
    broker: pid === undefined ? 0 : cpuSeconds(pid),
    generator: (user + system) / 1e6,
  }
}

/** Settles when everything sent has arrived, or when nothing has moved for a while. */
async function drained(groups: readonly Group[]): Promise<void> {
  const missing = () =>
    groups.reduce(
      (sum, { publisher, subscribers }) =>
        sum + Math.max(0, publisher.sent - slowest(subscribers)) + publisher.unacknowledged,
      0,
    )
  let last = Number.NaN
  let since = performance.now()
  for (let now = missing(); now > 0; now = missing()) {
    if (now !== last) since = performance.now()
    else if (performance.now() - since > PATIENCE_MS) return
    last = now
    await wait(0.01)
  }
}

function faults(groups: readonly Group[]) {
  const total = { lost: 0, repeated: 0, strange: 0, unacknowledged: 0 }
  for (const { publisher, subscribers } of groups) {
    total.unacknowledged += publisher.unacknowledged + publisher.strayAcks
    for (const subscriber of subscribers) {
      total.lost += Math.max(subscriber.lost, publisher.sent - subscriber.received + subscriber.repeated)
      total.repeated += subscriber.repeated
      total.strange += subscriber.strange
    }
  }
  return total
}

function wait(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

console.log(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '{}') as LoadOptions)))
process.exit()
