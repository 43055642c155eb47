// Messages per CPU second of the client, publishing and receiving, beside MQTT.js, against the same broker.
//
// Each case has a process for each library, warmed up by a round that does not count; rounds are interleaved
// (pipit, MQTT.js, pipit …) and the medians are compared. The CPU time is the process's own, user and system.
//   --rounds N (3)   --scale N (1): times the messages of a round   --only TEXT: cases whose name has it
//   --check: exit code 1 when a ratio is below the bound
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { Broker } from '@pipit/broker'
import { connect, open } from '@pipit/client'
import mqttJs from 'mqtt'
import { machineLine } from './lib/machine.ts'
import { median } from './lib/stats.ts'
import { count as grouped, table } from './lib/table.ts'

type QoS = 0 | 1 | 2
type Direction = 'publish' | 'receive'
type Library = 'pipit' | 'mqtt.js'

interface Case {
  readonly direction: Direction
  readonly qos: QoS
  readonly size: number
}

interface Setup extends Case {
  readonly library: Library
  readonly url: string
}

/** How many messages a publisher has unacknowledged. */
const WINDOW = 500
/** A receiver asks for as many more when it has had as many; so the broker has nothing to drop. */
const CREDIT = 1000
const CREDITS_AHEAD = 4
/** Messages of a round, by QoS: a second or so for the slower one. */
const COUNTS: Record<Direction, readonly [number, number, number]> = {
  publish: [200_000, 80_000, 40_000],
  receive: [400_000, 120_000, 60_000],
}
const QUEUED = 200_000
const roleOf = { publish: 'publisher', receive: 'receiver' } as const

const roles: Record<string, () => void> = { broker, publisher, receiver, feeder, queue }
const role = process.env.PIPIT_BENCH_ROLE
if (role === undefined) await compare()
else roles[role]!()

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      check: { type: 'boolean', default: false },
    },
  })
  const server = child('broker')
  const [url] = (await once(server, 'message')) as [string]
  const missed: string[] = []
  const rows: string[][] = []
  for (const each of cases()) {
    const name = `${each.direction} QoS ${each.qos}, ${each.size} bytes`
    if (!name.includes(values.only)) continue
    const rounds = Number(values.rounds)
    const [ours, theirs] = await pair(
      each,
      url,
      rounds,
      COUNTS[each.direction][each.qos] * Number(values.scale),
    )
    const ratio = ours / theirs
    const bound = each.direction === 'receive' && each.qos === 0 ? 3 : 5
    if (ratio < bound) missed.push(`${name}: ${ratio.toFixed(1)} of ${bound}`)
    rows.push([name, grouped(ours), grouped(theirs), ratio.toFixed(1)])
  }
  server.kill()
  console.log(
    `${machineLine()}\nMessages per client CPU second, MQTT 5.0, medians of ${values.rounds} rounds`,
  )
  console.log(table(['case', 'pipit', 'MQTT.js', 'ratio'], rows))
  if (values.only === '') console.log(await queueLine())
  for (const line of missed) console.log(`missed: ${line}`)
  if (values.check && missed.length > 0) process.exitCode = 1
}

function* cases(): Generator<Case> {
  for (const direction of ['publish', 'receive'] as const) {
    for (const qos of [0, 1, 2] as const) for (const size of [16, 256]) yield { direction, qos, size }
  }
}

/** Medians of both libraries in one case. */
async function pair(each: Case, url: string, rounds: number, messages: number): Promise<[number, number]> {
  const feeder =
    each.direction === 'receive' ? await started('feeder', { ...each, url, library: 'pipit' }) : undefined
  const workers = {
    pipit: await started(roleOf[each.direction], { ...each, url, library: 'pipit' }),
    'mqtt.js': await started(roleOf[each.direction], { ...each, url, library: 'mqtt.js' }),
  }
  const rates: Record<Library, number[]> = { pipit: [], 'mqtt.js': [] }
  for (let round = 0; round <= rounds; round++) {
    for (const library of ['pipit', 'mqtt.js'] as const) {
      const worker = workers[library]
      worker.send(messages)
      feeder?.send({ library, messages })
      const [seconds] = (await once(worker, 'message')) as [number]
      if (round > 0) rates[library].push(messages / seconds)
    }
  }
  for (const one of [feeder, workers.pipit, workers['mqtt.js']]) one?.kill()
  return [median(rates.pipit), median(rates['mqtt.js'])]
}

function child(as: string, execArgv: readonly string[] = []): ChildProcess {
  return fork(import.meta.filename, {
    env: { ...process.env, PIPIT_BENCH_ROLE: as },
    execArgv: [...process.execArgv, ...execArgv],
  })
}

async function started(as: string, setup: Setup): Promise<ChildProcess> {
  const worker = child(as)
  worker.send(setup)
  await once(worker, 'message')
  return worker
}

async function broker(): Promise<void> {
  const listener = await new Broker({}).listen({ port: 0, host: '127.0.0.1' })
  process.send!(`mqtt://127.0.0.1:${listener.port}`)
}

const topicOf = (library: Library): string => `bench/client/${library}`
const creditOf = (library: Library): string => `bench/credit/${library}`

/** CPU seconds since. */
function used(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

async function nextMessage<T>(): Promise<T> {
  const [message] = (await once(process, 'message')) as [T]
  return message
}

/** Publishes in batches, each acknowledged before the next begins. */
async function publisher(): Promise<void> {
  const { library, qos, size, url } = await nextMessage<Setup>()
  const payload = Buffer.alloc(size, 120)
  const topic = topicOf(library)
  const batch = library === 'pipit' ? await ourBatch() : await theirBatch()
  process.on('message', async (messages: number) => {
    const begun = process.cpuUsage()
    for (let sent = 0; sent < messages; sent += WINDOW) await batch()
    process.send!(used(begun))
  })
  process.send!('ready')

  async function ourBatch(): Promise<() => Promise<unknown>> {
    const client = await connect(url)
    return () => {
      const results: Promise<unknown>[] = []
      for (let i = 0; i < WINDOW; i++) results.push(client.publish(topic, payload, { qos }))
      return Promise.all(results)
    }
  }

  async function theirBatch(): Promise<() => Promise<unknown>> {
    const client = await mqttJs.connectAsync(url, { protocolVersion: 5 })
    return () =>
      new Promise<void>((resolve) => {
        let left = WINDOW
        const done = (): void => {
          if (--left === 0) resolve()
        }
        for (let i = 0; i < WINDOW; i++) client.publish(topic, payload, { qos }, done)
      })
  }
}

/** Counts from the first message of a round to the last. */
async function receiver(): Promise<void> {
  const { library, qos, url } = await nextMessage<Setup>()
  let seen = 0
  let wanted = 0
  let begun = process.cpuUsage()
  let askForMore: () => void
  const take = (): void => {
    if (seen++ === 0) begun = process.cpuUsage()
    if (seen % CREDIT === 0) askForMore()
    if (seen === wanted) process.send!(used(begun))
  }
  process.on('message', (messages: number) => {
    seen = 0
    wanted = messages
  })
  if (library === 'pipit') {
    const client = await connect(url)
    askForMore = () => void client.publish(creditOf(library), '')
    client.onMessage(take)
    await client.subscribe(topicOf(library), { qos })
  } else {
    const client = await mqttJs.connectAsync(url, { protocolVersion: 5 })
    askForMore = () => client.publish(creditOf(library), '')
    client.on('message', take)
    await client.subscribeAsync(topicOf(library), { qos })
  }
  process.send!('ready')
}

/** Publishes as fast as its receiver takes it. */
async function feeder(): Promise<void> {
  const { qos, size, url } = await nextMessage<Setup>()
  const payload = Buffer.alloc(size, 120)
  const client = await connect(url)
  let library: Library = 'pipit'
  let left = 0
  const send = (batches: number): void => {
    for (let i = 0; i < batches * CREDIT && left > 0; i++, left--)
      void client.publish(topicOf(library), payload, { qos })
  }
  client.onMessage(() => send(1))
  await client.subscribe('bench/credit/+')
  process.on('message', (round: { library: Library; messages: number }) => {
    library = round.library
    left = round.messages
    send(CREDITS_AHEAD)
  })
  process.send!('ready')
}

async function queueLine(): Promise<string> {
  const worker = child('queue', ['--expose-gc'])
  const [line] = (await once(worker, 'message')) as [string]
  worker.kill()
  return line
}

/** What messages cost that are queued offline, beyond their payload. */
async function queue(): Promise<void> {
  const collect = (globalThis as unknown as { gc: () => void }).gc
  const payloads = Array.from({ length: QUEUED }, () => new Uint8Array(16))
  const before = await fill(new Array(QUEUED), () => undefined)
  const client = open('mqtt://127.0.0.1:9', {
    queue: { limitMessages: QUEUED },
    transport: () => new Promise<never>(() => {}),
  })
  const after = await fill(new Array(QUEUED), (i) => client.publish('bench/queue', payloads[i]!, { qos: 1 }))
  const bytes = Math.round((after - before) / client.metrics().queued)
  process.send!(
    `${grouped(QUEUED)} messages queued offline by leave (limitMessages): ${bytes} bytes each beyond the payload, ` +
      'its promise included; by default the bound of 100,000 says no to the rest',
  )

  /** Bytes of heap when the list is full; the list is not the client's. */
  async function fill(list: unknown[], make: (i: number) => unknown): Promise<number> {
    for (let i = 0; i < list.length; i++) list[i] = make(i)
    await new Promise(setImmediate)
    collect()
    return process.memoryUsage().heapUsed + (list.length === 0 ? 1 : 0)
  }
}
