// Bytes allocated and writes made for a message routed, on fixed input: what no other machine changes.
//
// A broker in this process gets chunks of PUBLISH through streams that only count. Each case has a budget, and the
// exit code says whether all were kept. The heap is measured with room enough that nothing is collected meanwhile.
import { spawnSync } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { Broker, type ByteStream, type StreamOwner } from '@pipit/broker'
import { encode, type Packet, type QoS } from '@pipit/protocol'
import { count, table } from './lib/table.ts'

interface Case {
  readonly name: string
  readonly publishers: number
  /** Receivers of each publisher's messages. */
  readonly subscribers: number
  /** Topics that a publisher uses in turn. */
  readonly topics: number
  readonly qos: QoS
  /** Bytes allocated for a message delivered, and writes for 1000 delivered: at most. */
  readonly bytes: number
  readonly writes: number
}

const MESSAGES_A_CHUNK = 100
const CHUNKS = 200
/** The code is compiled before it counts. */
const WARM_UP = 400

const CASES: readonly Case[] = [
  { name: '10 pairs, QoS 0', publishers: 10, subscribers: 1, topics: 1, qos: 0, bytes: 40, writes: 10 },
  {
    name: '10 pairs, 4 topics in turn',
    publishers: 10,
    subscribers: 1,
    topics: 4,
    qos: 0,
    bytes: 40,
    writes: 10,
  },
  { name: '1 to 100, QoS 0', publishers: 1, subscribers: 100, topics: 1, qos: 0, bytes: 40, writes: 10 },
  // The publisher's acknowledgements are a write of their own.
  { name: '10 pairs, QoS 1', publishers: 10, subscribers: 1, topics: 1, qos: 1, bytes: 600, writes: 20 },
]

/** Runs this file in a process whose heap is not collected by itself. */
function again(): void {
  const flags = [
    '--expose-gc',
    '--max-semi-space-size=512',
    '--min-semi-space-size=512',
    '--conditions=@pipit/source',
  ]
  const { status } = spawnSync(process.execPath, [...flags, import.meta.filename], { stdio: 'inherit' })
  process.exitCode = status ?? 1
}

async function run(): Promise<void> {
  const rows: string[][] = []
  let kept = true
  for (const each of CASES) {
    const { bytes, writes, missing } = await measure(each)
    const fits = bytes <= each.bytes && writes <= each.writes && missing === 0
    if (!fits) kept = false
    const said = missing > 0 ? `${missing} messages missing` : fits ? '' : 'over its budget'
    rows.push([each.name, bytes.toFixed(1), count(each.bytes), writes.toFixed(1), count(each.writes), said])
  }
  const heads = ['messages delivered', 'bytes each', 'at most', 'writes for 1000', 'at most', '']
  console.log(table(heads, rows))
  process.exitCode = kept ? 0 : 1
}

async function measure(given: Case): Promise<{ bytes: number; writes: number; missing: number }> {
  const broker = new Broker()
  const topicOf = (publisher: number, i: number): string => `budget/${publisher}/${i % given.topics}`
  const receivers: Peer[] = []
  const senders: { readonly peer: Peer; readonly chunk: Buffer }[] = []
  for (let p = 0; p < given.publishers; p++) {
    for (let s = 0; s < given.subscribers; s++) {
      const peer = new Peer(broker, `receiver-${p}-${s}`)
      peer.say({
        type: 'SUBSCRIBE',
        packetId: 1,
        subscriptions: [{ topicFilter: `budget/${p}/#`, qos: given.qos }],
      })
      receivers.push(peer)
    }
    const messages = Array.from({ length: MESSAGES_A_CHUNK }, (_, i) => publish(topicOf(p, i), i, given.qos))
    senders.push({ peer: new Peer(broker, `sender-${p}`), chunk: Buffer.concat(messages) })
  }
  await turn()
  const rounds = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      for (const { peer, chunk } of senders) peer.owner.onChunk(chunk)
      await turn()
      if (given.qos > 0) for (const receiver of receivers) receiver.acknowledge(MESSAGES_A_CHUNK)
    }
  }
  await rounds(WARM_UP)
  globalThis.gc?.()
  const all = [...receivers, ...senders.map(({ peer }) => peer)]
  const before = { heap: process.memoryUsage().heapUsed, ...totals(all, receivers) }
  await rounds(CHUNKS)
  const after = { heap: process.memoryUsage().heapUsed, ...totals(all, receivers) }
  await broker.close()
  const wanted = CHUNKS * MESSAGES_A_CHUNK * given.publishers * given.subscribers
  const size = publish(topicOf(0, 0), 0, given.qos).length
  return {
    bytes: (after.heap - before.heap) / wanted,
    writes: (1000 * (after.writes - before.writes)) / wanted,
    missing: wanted - (after.received - before.received) / size,
  }
}

function totals(all: readonly Peer[], receivers: readonly Peer[]): { writes: number; received: number } {
  return {
    writes: all.reduce((sum, { writes }) => sum + writes, 0),
    received: receivers.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

function publish(topic: string, i: number, qos: QoS): Uint8Array {
  const payload = Buffer.from(String(i).padStart(16, '0'))
  const packetId = qos === 0 ? 0 : i + 1
  return encode({ type: 'PUBLISH', topic, payload, qos, retain: false, dup: false, packetId }, 4)
}

/** A client that only counts what it is sent. */
class Peer implements ByteStream {
  readonly remoteAddress = 'bench:0'
  readonly reusesChunks = false
  readonly pendingBytes = 0
  readonly owner: StreamOwner
  writes = 0
  bytes = 0
  private acknowledged = 0
  private readonly acks = Buffer.allocUnsafe(4 * MESSAGES_A_CHUNK)

  constructor(broker: Broker, clientId: string) {
    this.owner = broker.accepting(this)
    this.say({ type: 'CONNECT', protocolVersion: 4, clientId, cleanStart: true, keepAlive: 0 })
  }

  /** Sends the next PUBACKs: the broker takes identifiers in turn. */
  acknowledge(messages: number): void {
    const { acks } = this
    for (let at = 0; at < 4 * messages; at += 4) {
      const packetId = (this.acknowledged++ % 65535) + 1
      acks[at] = 0x40
      acks[at + 1] = 2
      acks[at + 2] = packetId >> 8
      acks[at + 3] = packetId
    }
    this.owner.onChunk(acks)
  }

  say(packet: Packet): void {
    this.owner.onChunk(encode(packet, 4))
  }

  write(bytes: Uint8Array): boolean {
    this.writes++
    this.bytes += bytes.length
    return true
  }

  pause(): void {}
  resume(): void {}
  end(): void {
    queueMicrotask(() => this.owner.onClose(undefined))
  }
  destroy(): void {
    this.end()
  }
}

if (globalThis.gc === undefined) again()
else await run()
