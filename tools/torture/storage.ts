import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { QoS } from '@pipit/protocol'
import { BrokerProcess, freePort } from './brokers.ts'
import { RetainedTopic, Stream, Tally } from './ledger.ts'
import { Link } from './link.ts'
import { Publisher } from './publisher.ts'
import type { SessionClient } from './session-client.ts'
import { SmallDisk } from './small-disk.ts'
import { Subscriber } from './subscriber.ts'

export interface TortureOptions {
  readonly rounds: number
  readonly broker: 'pipit' | 'mosquitto'
  /** More options of `pipit broker`, such as --durability. */
  readonly brokerOptions?: readonly string[]
  /** The broker's disk is full now and then (root on Linux). What it refuses is published again, and so comes out of
   *  order: order is not looked at. */
  readonly fullDisk?: boolean
  /** Says how far it is. */
  readonly progress?: (line: string) => void
  /** Where the broker's data lies; default: a new folder, removed when nothing went wrong. */
  readonly folder?: string
}

/** What came of it. All but the first three are faults. */
export interface TortureResult {
  readonly rounds: number
  /** Acknowledged to their publishers. */
  readonly messages: number
  /** Received, by all receivers together. */
  readonly deliveries: number
  /** Acknowledged, and missing at one of those who should have them. */
  readonly lost: number
  /** Delivered twice where both sides use QoS 2. */
  readonly duplicated: number
  readonly misordered: number
  readonly retainedWrong: number
  readonly sessionsLost: number
}

const PUBLISHERS = 4
const WINDOW = 20
/** The broker's disk in megabytes, where it is to be full at times, and for how long it is, and is not, at most. */
const DISK_MEGABYTES = 24
const DISK_CHANGE_MS = 400
/** How long what is missing may keep everyone waiting before it counts as lost, milliseconds. */
const PATIENCE_MS = 4000

interface Scene {
  readonly publishers: Publisher[]
  /** Always wanted online, though they stumble. */
  readonly online: Subscriber[]
  /** Away most of the time. */
  readonly visitors: Subscriber[]
  readonly shared: Subscriber[]
  readonly tallies: Tally[]
  /** Tallies where neither side may repeat a message. */
  readonly exact: Tally[]
  /** Tallies of receivers that get all messages of a stream, in order. */
  readonly ordered: Tally[]
  readonly streams: Stream[]
  readonly retained: RetainedTopic[]
}

/** Kills a broker under load again and again, and counts what is missing or came twice afterwards. */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { rounds, progress } = options
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'pipit-torture-'))
  const disk = options.fullDisk === true ? new SmallDisk(join(folder, 'data'), DISK_MEGABYTES) : undefined
  const port = await freePort()
  const broker =
    options.broker === 'pipit'
      ? BrokerProcess.pipit(port, join(folder, 'data'), ...(options.brokerOptions ?? []))
      : BrokerProcess.mosquitto(port, folder)
  const scene = makeScene(port, disk === undefined)
  let retainedWrong = 0
  let round = 0
  for (const each of scene.exact) {
    each.onRepeated = (number) =>
      progress?.(`round ${round}: ${each.receiver} got ${each.stream.topic} ${number} again`)
  }
  try {
    await broker.start()
    for (const each of [...scene.online, ...scene.visitors, ...scene.shared]) await each.subscribe()
    // Each has its session while it can be kept.
    await Promise.all(scene.publishers.map((each) => each.start()))
    for (round = 1; round <= rounds; round++) {
      await underLoad(scene, round, disk)
      await broker.kill()
      // Else what is retained changes while it is looked at.
      for (const each of scene.publishers) each.stop()
      await broker.start()
      retainedWrong += await wrongRetained(port, scene.retained)
      if (round % 10 === 0)
        progress?.(describe(resultOf(scene, round, retainedWrong)).replace('lost', 'on their way'))
    }
    disk?.free()
    await settled(scene)
    const said = broker.output.split('\n').filter((line) => line !== '' && !line.includes('ready on'))
    for (const line of options.broker === 'pipit' ? said.slice(0, 50) : []) progress?.(`broker: ${line}`)
    const refused = scene.publishers.reduce((sum, each) => sum + each.refused, 0)
    if (refused > 0) progress?.(`${refused} messages were refused and published again`)
    const result = resultOf(scene, rounds, retainedWrong)
    if (options.folder === undefined && isFlawless(result) && disk === undefined)
      rmSync(folder, { recursive: true, force: true })
    else if (disk === undefined) progress?.(`the data folder is ${folder}`)
    return result
  } catch (error) {
    throw new Error(`round ${round}, data in ${folder}; the broker said: ${broker.output.slice(-3000)}`, {
      cause: error,
    })
  } finally {
    for (const each of everyone(scene)) each.stop()
    await broker.kill()
    disk?.unmount()
    if (disk !== undefined && options.folder === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

export function isFlawless(result: TortureResult): boolean {
  const { lost, duplicated, misordered, retainedWrong, sessionsLost } = result
  return lost + duplicated + misordered + retainedWrong + sessionsLost === 0
}

export function describe(result: TortureResult): string {
  const { rounds, messages, deliveries, lost, duplicated, misordered, retainedWrong, sessionsLost } = result
  return (
    `${rounds} rounds, ${messages} messages, ${deliveries} deliveries: ${lost} lost, ${duplicated} duplicated at QoS 2, ` +
    `${misordered} out of order, ${retainedWrong} retained values wrong, ${sessionsLost} sessions lost`
  )
}

function everyone({ publishers, online, visitors, shared }: Scene): SessionClient[] {
  return [...publishers, ...online, ...visitors, ...shared]
}

/** @param inOrder messages come in the order in which they were sent first */
function makeScene(port: number, inOrder: boolean): Scene {
  const scene: Scene = {
    publishers: [],
    online: [],
    visitors: [],
    shared: [],
    tallies: [],
    exact: [],
    ordered: [],
    streams: [],
    retained: [],
  }
  const sharedStreams: Stream[] = []
  for (let i = 0; i < PUBLISHERS; i++) {
    const own = [1, 2].map((qos) => new Stream(`all/${i}/${qos}`, qos as QoS))
    const shared = [1, 2].map((qos) => new Stream(`shared/${i}/${qos}`, qos as QoS))
    const retained = [1, 2, 1].map((qos, k) => new RetainedTopic(`kept/${i}/${k}`, qos as QoS))
    scene.streams.push(...own)
    sharedStreams.push(...shared)
    scene.retained.push(...retained)
    const work = { streams: [...own, ...shared], retained, window: WINDOW }
    scene.publishers.push(new Publisher(port, `publisher-${i}`, i % 2 === 0 ? 4 : 5, work))
  }
  const receiver = (name: string, qos: QoS, into: Subscriber[]): void => {
    const tallies = tally(scene, name, scene.streams, qos)
    if (inOrder) scene.ordered.push(...tallies.values())
    const version = into.length % 2 === 0 ? 5 : 4
    into.push(new Subscriber(port, name, version, { filters: ['all/#'], qos, tallies }))
  }
  receiver('online-2', 2, scene.online)
  receiver('online-2b', 2, scene.online)
  receiver('online-1', 1, scene.online)
  receiver('visitor-2', 2, scene.visitors)
  receiver('visitor-1', 1, scene.visitors)
  const group = tally(scene, 'the group', sharedStreams, 2)
  for (let i = 0; i < 3; i++) {
    const what = { filters: ['$share/group/shared/#'], qos: 2 as const, tallies: group }
    scene.shared.push(new Subscriber(port, `shared-${i}`, i % 2 === 0 ? 5 : 4, what))
  }
  scene.streams.push(...sharedStreams)
  return scene
}

function tally(scene: Scene, receiver: string, streams: readonly Stream[], qos: QoS): Map<string, Tally> {
  const tallies = new Map(streams.map((stream) => [stream.topic, new Tally(receiver, stream)]))
  for (const each of tallies.values()) {
    scene.tallies.push(each)
    if (qos === 2 && each.stream.qos === 2) scene.exact.push(each)
  }
  return tallies
}

/** One round of load: clients come, stumble, overtake themselves and go, until a moment nobody knows. */
async function underLoad(scene: Scene, round: number, disk: SmallDisk | undefined): Promise<void> {
  const { publishers, online, visitors, shared } = scene
  const there = [...publishers, ...online, ...shared]
  for (const [i, visitor] of visitors.entries()) {
    if ((round + i * 2) % 5 < 2) there.push(visitor)
    else visitor.stop()
  }
  await Promise.all(there.map((each) => each.start()))
  for (const publisher of publishers) publisher.run()
  const until = performance.now() + 20 + Math.random() * 500
  let change = performance.now() + Math.random() * DISK_CHANGE_MS
  while (performance.now() < until) {
    await wait(Math.random() * 40)
    if (disk !== undefined && performance.now() > change) {
      disk.toggle()
      change = performance.now() + Math.random() * DISK_CHANGE_MS
    }
    mishap(there[Math.floor(Math.random() * there.length)]!, shared)
  }
}

function mishap(client: SessionClient, shared: readonly Subscriber[]): void {
  const kind = Math.random()
  if (kind < 0.3) client.stumble()
  else if (kind < 0.45) client.overtake()
  else if (kind < 0.6) {
    // What it had is given to others, or waits for it.
    const member = shared[Math.floor(Math.random() * shared.length)]!
    member.stop()
    setTimeout(() => void member.start(), Math.random() * 60).unref()
  }
}

/** Everyone comes, nothing new begins, and all that is owed is delivered. */
async function settled(scene: Scene): Promise<void> {
  await Promise.all(everyone(scene).map((each) => each.start()))
  await Promise.race([Promise.all(scene.publishers.map((each) => each.finish())), wait(30_000)])
  let last = -1
  let since = performance.now()
  while (scene.tallies.some((each) => !each.complete)) {
    const received = scene.tallies.reduce((sum, each) => sum + each.received, 0)
    if (received !== last) since = performance.now()
    else if (performance.now() - since > PATIENCE_MS) return
    last = received
    await wait(20)
  }
  // One that comes twice comes soon.
  await wait(300)
}

/** Asks for all retained messages and counts those that should not be there, or are missing. */
async function wrongRetained(port: number, topics: readonly RetainedTopic[]): Promise<number> {
  const found = new Map<string, string>()
  const hello = {
    type: 'CONNECT',
    protocolVersion: 4,
    clientId: 'retained',
    cleanStart: true,
    keepAlive: 0,
  } as const
  const filters = [{ topicFilter: 'kept/#', qos: 0 as const }]
  await new Promise<void>((resolve, reject) => {
    const link = new Link(port, hello, {
      onPacket: (packet) => {
        if (packet.type === 'CONNACK') link.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions: filters })
        else if (packet.type === 'PUBLISH' && packet.retain)
          found.set(packet.topic, Buffer.from(packet.payload).toString())
        // Retained messages were sent before the answer to this, if it is sent after SUBACK.
        else if (packet.type === 'SUBACK') link.send({ type: 'PINGREQ' })
        else if (packet.type === 'PINGRESP') {
          link.drop()
          resolve()
        }
      },
      onEnd: () => reject(new Error('the broker closed the connection that asks for retained messages')),
    })
  })
  return topics.filter((each) => !each.allows(found.get(each.topic))).length
}

function resultOf(scene: Scene, rounds: number, retainedWrong: number): TortureResult {
  const sum = <T>(list: readonly T[], of: (each: T) => number): number =>
    list.reduce((n, each) => n + of(each), 0)
  return {
    rounds,
    messages:
      sum(scene.streams, (each) => each.acknowledged) + sum(scene.retained, (each) => each.acknowledged),
    deliveries: sum(scene.tallies, (each) => each.received),
    lost: sum(scene.tallies, (each) => each.lost().length),
    duplicated: sum(scene.exact, (each) => each.repeated),
    misordered: sum(scene.ordered, (each) => each.misordered),
    retainedWrong,
    sessionsLost: sum(everyone(scene), (each) => each.sessionsLost),
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
