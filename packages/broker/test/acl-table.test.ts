import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import type { ProtocolVersion } from '@pipit/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Wire } from './wire.ts'

// Every construct of acl_file, every action, every version of MQTT: what Debian's Mosquitto 2.0.11 decides, and what
// ours does. docs/guide/security.md has the differences, which are in what is said, not in what comes through.

const ACL = `# topics before a user are those of clients without user name
topic read open/r
topic write open/w
topic open/rw
topic deny open/denied
topic read open/#
pattern read c/%c/in
pattern write c/%c/out
pattern readwrite u/%u/#
pattern deny u/%u/secret
pattern readwrite plain/%c%u
pattern bare/%c/+

user reader
topic read a/b
topic read wild/+/x
topic read tree/#
topic read $SYS/broker/version
topic deny tree/denied
topic read tree/denied

user writer
topic write a/b
topic write wild/+/x
topic write tree/#
topic deny tree/denied
topic readwrite spaces in/a topic

user both
topic readwrite a/b
topic both/ways
topic readwrite #
topic deny u/both/own
topic readwrite u/both/secret

user denied
topic deny #

user nothing

user reader
topic write later/line
`

interface Subject {
  readonly clientId: string
  readonly username?: string
}

const SUBJECTS: readonly Subject[] = [
  { clientId: 'anyone' },
  { clientId: 'r1', username: 'reader' },
  { clientId: 'w1', username: 'writer' },
  { clientId: 'b1', username: 'both' },
  { clientId: 'd1', username: 'denied' },
  { clientId: 'n1', username: 'nothing' },
  { clientId: 'x1', username: 'unlisted' },
]

const TOPICS = [
  'open/r',
  'open/w',
  'open/rw',
  'open/denied',
  'open/other',
  'c/anyone/in',
  'c/anyone/out',
  'c/r1/in',
  'c/r1/out',
  'c/w1/in',
  'u/reader/x',
  'u/reader',
  'u/reader/secret',
  'u/writer/secret',
  'u/both/own',
  'u/both/secret',
  'bare/anyone/x',
  'bare/r1/x',
  'bare/%c/x',
  'u/%u/x',
  'u//x',
  'plain/r1reader',
  'plain/anyone',
  'a/b',
  'a/b/c',
  'a',
  'wild/1/x',
  'wild/1/y',
  'wild/1/2/x',
  'tree',
  'tree/1/2',
  'tree/denied',
  'both/ways',
  'spaces in/a topic',
  'later/line',
  'elsewhere',
  '$other/a',
]

/** Wider than what most may read, narrower, beside it, and across it. */
const FILTERS = [
  '#',
  '+',
  '+/#',
  '+/b',
  '+/+/+',
  'open/#',
  'open/+',
  'c/+/in',
  'c/+/+',
  'c/r1/#',
  'u/#',
  'u/+/secret',
  'u/reader/#',
  'plain/+',
  'bare/#',
  'a/#',
  'a/+',
  'wild/#',
  'wild/+/x',
  'wild/+/+/x',
  'tree/#',
  'tree/+',
  'both/#',
  'later/+',
  'elsewhere/#',
  '$other/#',
  '$other/+',
]

type Action =
  | 'publish'
  | 'receive'
  | 'will'
  | 'retained'
  | 'by wildcard'
  | 'retained by wildcard'
  | 'shared'
  | 'overlapping'
const VERSIONS: readonly ProtocolVersion[] = [3, 4, 5]
// Debian keeps the broker where a user's PATH does not look.
const MOSQUITTO = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (each) => spawnSync(each, ['-h']).error === undefined,
)
const noMosquitto =
  MOSQUITTO === undefined ? 'skipped: mosquitto is not installed (apt-get install mosquitto)' : undefined
let mosquitto: ChildProcess | undefined
const folder = mkdtempSync(join(tmpdir(), 'pipit-acl-'))
const file = join(folder, 'acl')
const wires: Wire[] = []
const brokers: Broker[] = []
/** A client that may do everything, at each broker: it sees what came through, and sends what others are to get. */
let theirs: Side
let ours: Side

/** A broker, and its watcher. */
interface Side {
  readonly port: number
  readonly watcher: Wire
}

async function open(port: number, version: ProtocolVersion, subject: Subject, more = {}): Promise<Wire> {
  const wire = await Wire.open(port, version)
  wires.push(wire)
  const password = subject.username === undefined ? {} : { password: Buffer.from('x') }
  await wire.hello({ ...subject, ...password, ...more })
  return wire
}

beforeAll(async () => {
  // Mosquitto gives up the rights of root before it reads the file.
  chmodSync(folder, 0o755)
  // The watcher is a user of the same file: with a rule for everything.
  writeFileSync(file, `${ACL}\nuser watcher\ntopic readwrite #\ntopic readwrite $other/#\n`)
  const broker = new Broker({ access: { anonymous: true, aclFile: file } })
  brokers.push(broker)
  const { port } = await broker.listen({ port: 0 })
  ours = { port, watcher: await open(port, 5, { clientId: 'watcher', username: 'watcher' }) }
  if (MOSQUITTO === undefined) return
  const theirPort = await startMosquitto(MOSQUITTO)
  theirs = {
    port: theirPort,
    watcher: await open(theirPort, 5, { clientId: 'watcher', username: 'watcher' }),
  }
})
afterAll(async () => {
  for (const { socket } of wires) socket.destroy()
  await Promise.all(brokers.map((broker) => broker.close()))
  if (mosquitto !== undefined && mosquitto.exitCode === null) {
    mosquitto.kill()
    await once(mosquitto, 'exit')
  }
  rmSync(folder, { recursive: true })
})

/** Debian's Mosquitto with the ACL, on a free port. */
async function startMosquitto(program: string): Promise<number> {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  free.close()
  await once(free, 'close')
  const conf = join(folder, 'mosquitto.conf')
  writeFileSync(conf, `listener ${port} 127.0.0.1\nallow_anonymous true\nacl_file ${file}\n`)
  const child = spawn(program, ['-v', '-c', conf], { stdio: ['ignore', 'ignore', 'pipe'] })
  mosquitto = child
  let said = ''
  for await (const chunk of child.stderr) {
    said += String(chunk)
    if (/mosquitto version .* running/.test(said)) break
  }
  if (!said.includes('running')) throw new Error(said)
  return port
}

/** Topics that came, up to a message on `until`. */
async function heard(wire: Wire, until: string): Promise<Set<string>> {
  const topics = new Set<string>()
  for (;;) {
    const { topic } = await wire.receive('PUBLISH')
    if (topic === until) return topics
    topics.add(topic)
  }
}

/** What a subject may do, topic by topic. */
async function decisions(
  side: Side,
  version: ProtocolVersion,
  subject: Subject,
  action: Action,
): Promise<string[]> {
  const { watcher, port } = side
  if (action === 'will') return willsThatCame(side, version, subject)
  if (FILTER_ACTIONS.includes(action)) return byFilter(side, version, subject, action)
  const wire = await open(port, version, subject)
  const both = ['#', '$other/#']
  if (action === 'publish') {
    for (const filter of both) await watcher.subscribe(filter)
    for (const topic of TOPICS) wire.publish(topic, 'x')
    await wire.settles()
    watcher.publish('the/end', 'x')
    const through = await heard(watcher, 'the/end')
    for (const filter of both) {
      watcher.send({ type: 'UNSUBSCRIBE', packetId: 8, topicFilters: [filter] })
      await watcher.receive('UNSUBACK')
    }
    return TOPICS.filter((topic) => through.has(topic))
  }
  const retain = action === 'retained'
  if (retain) for (const topic of TOPICS) watcher.publish(topic, 'x', { retain: true })
  await watcher.settles()
  // Each topic by itself, so that a filter that is refused refuses nothing else.
  for (const topic of TOPICS) {
    wire.send({ type: 'SUBSCRIBE', packetId: 7, subscriptions: [{ topicFilter: topic, qos: 0 }] })
  }
  const got = new Set<string>()
  const packets = async (): Promise<void> => {
    wire.send({ type: 'PINGREQ' })
    for (;;) {
      const packet = await wire.any()
      if (packet.type === 'PINGRESP') return
      if (packet.type === 'PUBLISH') got.add(packet.topic)
    }
  }
  await packets()
  if (!retain) {
    for (const topic of TOPICS) watcher.publish(topic, 'x')
    await watcher.settles()
    await packets()
  } else for (const topic of TOPICS) watcher.publish(topic, '', { retain: true })
  await watcher.settles()
  wire.send({ type: 'DISCONNECT', reasonCode: 0 })
  await wire.closed
  return TOPICS.filter((topic) => got.has(topic))
}

/** Mosquitto lets a client in whose will it will not publish; ours refuses it at once. What comes of it is the same. */
async function willsThatCame(
  { watcher, port }: Side,
  version: ProtocolVersion,
  subject: Subject,
): Promise<string[]> {
  await watcher.subscribe('#')
  await watcher.subscribe('$other/#')
  for (const topic of TOPICS) {
    const wire = await Wire.open(port, version)
    wires.push(wire)
    const password = subject.username === undefined ? {} : { password: Buffer.from('x') }
    const will = { topic, payload: Buffer.from('w'), qos: 0 as const, retain: false }
    const { reasonCode } = await wire.hello({ ...subject, ...password, will })
    expect([0, version === 5 ? 0x87 : 5]).toContain(reasonCode)
    wire.socket.end()
    await wire.closed
  }
  watcher.publish('the/end', 'x')
  const came = await heard(watcher, 'the/end')
  watcher.send({ type: 'UNSUBSCRIBE', packetId: 8, topicFilters: ['#', '$other/#'] })
  await watcher.receive('UNSUBACK')
  return TOPICS.filter((topic) => came.has(topic))
}

/** What comes to each filter, or to all of them at once: `filter topic`. */
async function byFilter(
  { watcher, port }: Side,
  version: ProtocolVersion,
  subject: Subject,
  action: Action,
): Promise<string[]> {
  const wire = await open(port, version, subject)
  const isRetained = action === 'retained by wildcard'
  if (isRetained) for (const topic of TOPICS) watcher.publish(topic, 'x', { retain: true })
  await watcher.settles()
  const got: string[] = []
  const groups = action === 'overlapping' ? [FILTERS] : FILTERS.map((filter) => [filter])
  for (const group of groups) {
    const filters = group.map((filter) => (action === 'shared' ? `$share/g/${filter}` : filter))
    for (const topicFilter of filters) {
      wire.send({ type: 'SUBSCRIBE', packetId: 7, subscriptions: [{ topicFilter, qos: 0 }] })
    }
    wire.send({ type: 'PINGREQ' })
    const came = await topicsUntilPong(wire)
    if (!isRetained) {
      for (const topic of TOPICS) watcher.publish(topic, 'x')
      await watcher.settles()
      wire.send({ type: 'PINGREQ' })
      for (const topic of await topicsUntilPong(wire)) came.add(topic)
    }
    got.push(...TOPICS.filter((topic) => came.has(topic)).map((topic) => `${group.join()} ${topic}`))
    wire.send({ type: 'UNSUBSCRIBE', packetId: 8, topicFilters: filters })
  }
  if (isRetained) for (const topic of TOPICS) watcher.publish(topic, '', { retain: true })
  await watcher.settles()
  wire.send({ type: 'DISCONNECT', reasonCode: 0 })
  await wire.closed
  return got
}

async function topicsUntilPong(wire: Wire): Promise<Set<string>> {
  const topics = new Set<string>()
  for (;;) {
    const packet = await wire.any()
    if (packet.type === 'PINGRESP') return topics
    if (packet.type === 'PUBLISH') topics.add(packet.topic)
  }
}

const FILTER_ACTIONS: readonly Action[] = ['by wildcard', 'retained by wildcard', 'shared', 'overlapping']
const ACTIONS: readonly Action[] = ['publish', 'receive', 'will', 'retained', ...FILTER_ACTIONS]
const rows = VERSIONS.flatMap((version) =>
  ACTIONS.flatMap((action) => SUBJECTS.map((subject) => ({ version, action, ...subject }))),
)

describe.skipIf(noMosquitto !== undefined)(`decisions of Mosquitto and ours ${noMosquitto ?? ''}`, () => {
  test.for(rows)('MQTT $version, $action, $clientId $username', async ({ version, action, ...subject }) => {
    const [expected, got] = [
      await decisions(theirs, version, subject, action),
      await decisions(ours, version, subject, action),
    ]
    expect(got).toEqual(expected)
    // Who may do everything is seen to: there is something to be equal.
    if (subject.username === 'both') expect(got.length).toBeGreaterThan(5)
  })
})
