// A million subscriptions: time and memory to load them, and what a publish that matches one of them costs.
//
// The broker runs in this process on streams without sockets, so that routing is all that is measured.
// --subscriptions N (1000000)

import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Broker, type ByteStream, type StreamOwner } from '@pipit/broker'
import { encode, type Packet } from '@pipit/protocol'
import { machineLine } from './lib/machine.ts'
import { median } from './lib/stats.ts'
import { count, table } from './lib/table.ts'

const TARGET = { seconds: 4, bytes: 600, microseconds: 2 }
const FILTERS_A_PACKET = 1000
const MESSAGES = 200_000
const ROUNDS = 5

const { values } = parseArgs({ options: { subscriptions: { type: 'string', default: '1000000' } } })
const subscriptions = Number(values.subscriptions)
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** A client whose bytes come from here and go nowhere. */
class Client implements ByteStream {
  readonly remoteAddress = 'bench:0'
  readonly reusesChunks = false
  readonly pendingBytes = 0
  bytesReceived = 0
  private readonly owner: StreamOwner

  constructor(broker: Broker, clientId: string) {
    this.owner = broker.accepting(this)
    this.send({ type: 'CONNECT', protocolVersion: 4, clientId, cleanStart: true, keepAlive: 0 })
  }

  send(packet: Packet): void {
    this.owner.onChunk(encode(packet, 4))
  }

  give(chunk: Uint8Array): void {
    this.owner.onChunk(chunk)
  }

  write(bytes: Uint8Array): boolean {
    this.bytesReceived += bytes.length
    return true
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Loaded {
  readonly publisher: Client
  readonly subscriber: Client
}

async function load(filters: readonly string[]): Promise<Loaded> {
  const broker = new Broker()
  const subscriber = new Client(broker, 'subscriber')
  for (let from = 0; from < filters.length; from += FILTERS_A_PACKET) {
    const some = filters.slice(from, from + FILTERS_A_PACKET)
    const wanted = some.map((topicFilter) => ({ topicFilter, qos: 0 as const }))
    subscriber.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: wanted })
    await turn()
  }
  return { subscriber, publisher: new Client(broker, 'publisher') }
}

/** Chunks of PUBLISH packets, each of which matches one of the first `amount` filters. */
function chunks(amount: number): Uint8Array[] {
  const all: Uint8Array[] = []
  for (let from = 0; from < MESSAGES; from += 1000) {
    const frames = Array.from({ length: 1000 }, (_, i) => {
      // A step that is prime to any amount of tens: every message goes to another filter than the one before.
      const topic = `a/${((from + i) * 7919) % amount}/y/x`
      return encode(
        {
          type: 'PUBLISH',
          topic,
          payload: new Uint8Array(16),
          qos: 0,
          retain: false,
          dup: false,
          packetId: 0,
        },
        4,
      )
    })
    all.push(Buffer.concat(frames))
  }
  return all
}

/** Microseconds of CPU a message. */
async function publish({ publisher, subscriber }: Loaded, traffic: readonly Uint8Array[]): Promise<number> {
  const received = subscriber.bytesReceived
  const before = process.cpuUsage()
  for (const chunk of traffic) {
    publisher.give(chunk.slice())
    await turn()
  }
  const { user, system } = process.cpuUsage(before)
  if (subscriber.bytesReceived - received !== traffic.reduce((sum, chunk) => sum + chunk.length, 0)) {
    throw new Error('not every message was delivered')
  }
  return (user + system) / MESSAGES
}

console.log(machineLine())
// The same messages: one subscription that matches them all, or a million of which each message matches one.
const one = await load(['a/+/+/x'])
const filters = Array.from({ length: subscriptions }, (_, i) => `a/${i}/+/x`)
gc()
const heapBefore = process.memoryUsage().rss
const begun = performance.now()
const many = await load(filters)
const seconds = (performance.now() - begun) / 1000
gc()
const bytes = (process.memoryUsage().rss - heapBefore) / subscriptions

const traffic = chunks(subscriptions)
const differences: number[] = []
const costs: [number[], number[]] = [[], []]
for (let round = -1; round < ROUNDS; round++) {
  const single = await publish(one, traffic)
  const among = await publish(many, traffic)
  if (round < 0) continue // until the code is compiled
  costs[0].push(single)
  costs[1].push(among)
  differences.push(among - single)
}
const beyond = median(differences)
console.log(
  table(
    ['', 'subscriptions', 'CPU us a publish'],
    [
      ['one', '1', median(costs[0]).toFixed(3)],
      ['many', count(subscriptions), median(costs[1]).toFixed(3)],
    ],
  ),
)
console.log(`loaded in ${seconds.toFixed(2)} s; the target is under ${TARGET.seconds} s`)
console.log(`${count(bytes)} bytes a subscription; the target is under ${TARGET.bytes}`)
console.log(
  `a publish costs ${beyond.toFixed(2)} us beyond one with a single subscription (${(median(costs[1]) / median(costs[0])).toFixed(1)} times); the target is under ${TARGET.microseconds} us`,
)
process.exitCode = seconds < TARGET.seconds && bytes < TARGET.bytes && beyond < TARGET.microseconds ? 0 : 1
