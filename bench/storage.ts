// What durability costs: QoS 1 to persistent online subscribers in memory, with interval and with always; drain; start-up.
//
// Rounds are interleaved (memory, interval, always, memory …) in one run, medians are printed; broker and load each on
// a core of their own as far as there are some, the storage thread beside the load.
//   --rounds N (3)   --seconds N (3)   --messages N (1000000)   --sessions N (100000)   --only load,drain,start
//   --check: exit code 1 when a bound of the issue is missed
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { encode } from '@pipit/protocol'
import { BatchWriter } from '../packages/broker/src/storage/batch.ts'
import { SqliteEngine } from '../packages/broker/src/storage/sqlite-engine.ts'
import { Link, type LinkEvents } from '../packages/cli/src/load/link.ts'
import { faultsOf, type Measured, measured, milliseconds, plain } from './lib/load.ts'
import { machineLine } from './lib/machine.ts'
import { median } from './lib/stats.ts'
import { type Delay, type Mode, TestBroker } from './lib/storage-broker.ts'
import { count, table } from './lib/table.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    messages: { type: 'string', default: '1000000' },
    sessions: { type: 'string', default: '100000' },
    only: { type: 'string', default: 'load,drain,start' },
    check: { type: 'boolean', default: false },
  },
})

const MODES: readonly Mode[] = ['memory', 'interval', 'always']
const missed: string[] = []

console.log(machineLine())
const only = values.only.split(',')
if (only.includes('load')) await load()
if (only.includes('drain')) await drain()
if (only.includes('start')) await startUp()
for (const line of missed) console.log(`missed: ${line}`)
process.exit(values.check && missed.length > 0 ? 1 : 0)

async function load(): Promise<void> {
  const rows: string[][] = []
  const rates = new Map<Mode, number[]>(MODES.map((mode) => [mode, []]))
  const p99s: number[] = []
  const own: number[] = []
  const blocked = new Map<Mode, number[]>(MODES.map((mode) => [mode, []]))
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const mode of MODES) {
      const { result, delay } = await measure(mode)
      const rate = result.delivered / result.seconds
      rates.get(mode)!.push(rate)
      blocked.get(mode)!.push(delay.maxMs)
      if (mode !== 'memory') own.push(delay.storageMs)
      const [ackMedianMs, ackP99Ms] = [0.5, 0.99].map((share) =>
        milliseconds(result.acknowledgements, share),
      ) as [number, number]
      if (mode === 'always') p99s.push(ackP99Ms)
      const cells = [ackMedianMs, ackP99Ms, delay.p99Ms, delay.maxMs, delay.storageMs].map((ms) =>
        ms.toFixed(1),
      )
      rows.push([mode, String(round), count(rate), ...cells, cpu(result), faultsOf(result)])
    }
  }
  const head = [
    'durability',
    'round',
    'msg/s',
    'ack p50 ms',
    'ack p99 ms',
    'loop p99 ms',
    'loop max ms',
    'of it storage',
    'CPU',
    '',
  ]
  console.log(
    `\nQoS 1, 10 publishers, window 100, 16 bytes, persistent online subscribers\n${table(head, rows)}`,
  )
  const [memory, interval, always] = MODES.map((mode) => median(rates.get(mode)!)) as [number, number, number]
  console.log(
    `median: in memory ${count(memory)}, interval ${count(interval)} (${percent(interval / memory)} of it), ` +
      `always ${count(always)} (${percent(always / memory)}), its p99 ${median(p99s).toFixed(1)} ms`,
  )
  const extra = median(blocked.get('always')!) - median(blocked.get('memory')!)
  console.log(
    `event loop: storage has kept it ${Math.max(...own).toFixed(1)} ms at once at most (median of the rounds ` +
      `${median(own).toFixed(1)}); the longest delay with always is ${extra.toFixed(1)} ms beyond that in memory`,
  )
  want(always >= 30_000, `always ${count(always)} a second, wanted 30,000`)
  want(median(p99s) < 25, `p99 of the acknowledgement ${median(p99s)} ms, wanted less than 25`)
  want(interval >= 0.6 * memory, `interval is ${percent(interval / memory)} of memory, wanted 60 %`)
  want(median(own) <= 5, `storage keeps the event loop ${median(own).toFixed(1)} ms at once, wanted 5`)
}

async function measure(mode: Mode): Promise<{ result: Measured; delay: Delay }> {
  const broker = await TestBroker.start(mode)
  try {
    let counted: Promise<unknown> | undefined
    const load = {
      target: plain(broker.port),
      topology: 'pairs',
      publishers: 10,
      subscribers: 1,
      qos: 1,
      size: 16,
      inFlight: 1000,
      window: 100,
      warmUpSeconds: 1,
      seconds: Number(values.seconds),
      persistent: true,
      prefix: 'bench',
    } as const
    // From then on it is counted: connections are made and the code is compiled.
    const onBegun = (): void => {
      counted = broker.delay()
    }
    const result = await measured(load, broker.pid, { onBegun })
    await counted
    return { result, delay: await broker.delay() }
  } finally {
    await broker.stop()
  }
}

/** A session comes back to 100,000 messages. */
async function drain(): Promise<void> {
  const waiting = 100_000
  const rates: number[] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    const broker = await TestBroker.start('always')
    const subscriber = await Link.open(plain(broker.port), 'drain', false)
    await subscriber.subscribe('drain', 1)
    subscriber.close()
    await fill(broker.port, waiting)
    rates.push(await drained(broker.port, waiting))
    await broker.stop()
  }
  console.log(`\ndrain of ${count(waiting)} queued messages: ${rates.map(count).join(', ')} a second`)
  want(median(rates) > 100_000, `drain at ${count(median(rates))} a second, wanted 100,000`)
}

async function fill(port: number, messages: number): Promise<void> {
  const link = await Link.open(plain(port), 'filler')
  let acknowledged = 0
  const one = (id: number): Uint8Array =>
    encode(
      {
        type: 'PUBLISH',
        topic: 'drain',
        payload: new Uint8Array(16),
        qos: 1,
        retain: false,
        dup: false,
        packetId: id,
      },
      4,
    )
  await new Promise<void>((resolve) => {
    let sent = 0
    const send = (): void => {
      const batch: Uint8Array[] = []
      while (sent < messages && sent - acknowledged < 5000) batch.push(one((sent++ % 65535) + 1))
      if (batch.length > 0) link.write(Buffer.concat(batch))
    }
    link.events.acknowledged = () => {
      if (++acknowledged === messages) resolve()
    }
    link.events.chunkEnd = send
    send()
  })
  link.close()
}

async function drained(port: number, messages: number): Promise<number> {
  let received = 0
  let begun = 0
  const acks = Buffer.alloc(65536 * 4)
  let link: Link | undefined
  let at = 0
  await new Promise<void>((resolve, reject) => {
    const events: LinkEvents = {
      publish: (bytes, _start, body) => {
        const id = body + 2 + 5
        acks.set([0x40, 2, bytes[id] as number, bytes[id + 1] as number], at)
        at += 4
        if (++received === messages) resolve()
      },
      chunkEnd: () => {
        // What came with CONNACK is acknowledged once there is a link to do it on.
        if (at === 0 || link === undefined) return
        link.write(Buffer.from(acks.subarray(0, at)))
        at = 0
      },
    }
    begun = performance.now()
    Link.open(plain(port), 'drain', false, events).then((open) => {
      link = open
      events.chunkEnd?.()
    }, reject)
  })
  const seconds = (performance.now() - begun) / 1000
  link?.close()
  return received / seconds
}

/** Opens a folder with many messages and sessions. */
async function startUp(): Promise<void> {
  const messages = Number(values.messages)
  const sessions = Number(values.sessions)
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bench-'))
  const data = join(folder, 'data')
  store(data, messages, sessions)
  const times: number[] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    const broker = await TestBroker.start('always', data)
    times.push(broker.openedMs / 1000)
    if (broker.sessions !== sessions) want(false, `${broker.sessions} sessions of ${sessions} came back`)
    await broker.stop()
  }
  const megabytes = statSync(join(data, 'broker.db')).size / 1048576
  rmSync(folder, { recursive: true })
  console.log(
    `\nstart-up with ${count(messages)} messages and ${count(sessions)} sessions (${megabytes.toFixed(0)} MB): ` +
      `${times.map((each) => each.toFixed(2)).join(', ')} s`,
  )
  want(median(times) < 5, `start-up took ${median(times).toFixed(2)} s, wanted less than 5`)
}

function store(folder: string, messages: number, sessions: number): void {
  const engine = new SqliteEngine(folder, { sync: false })
  const frame = encode(
    {
      type: 'PUBLISH',
      topic: 'bench/stored',
      payload: new Uint8Array(64),
      qos: 1,
      retain: false,
      dup: false,
      packetId: 1,
    },
    4,
  )
  const batch = new BatchWriter()
  const flush = (): void => engine.commit([batch.take()])
  for (let id = 1; id <= sessions; id++) {
    const forever = Number.POSITIVE_INFINITY
    batch.putSession({
      id,
      clientId: `session-${id}`,
      expiryInterval: 0xffffffff,
      expiresAt: forever,
      username: undefined,
    })
    batch.putSubscription({ session: id, topicFilter: `bench/${id}/#`, options: 1, identifier: 0 })
    if (id % 10_000 === 0) flush()
  }
  for (let id = 1; id <= messages; id++) {
    batch.putMessage({ id, frame, version: 4, qos: 1, retain: false, expiresAt: Number.POSITIVE_INFINITY })
    const rest = { qos: 1, retain: false, state: 0, packetId: 0, identifiers: [], shared: false } as const
    batch.putReference({ id, session: (id % sessions) + 1, message: id, ...rest })
    if (id % 10_000 === 0) flush()
  }
  flush()
  engine.close()
}

function want(met: boolean, otherwise: string): void {
  if (!met) missed.push(otherwise)
}

function cpu(result: Measured): string {
  return `${((100 * result.brokerCpuSeconds) / result.seconds).toFixed(0)} %`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}
