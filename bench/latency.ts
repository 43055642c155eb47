// Milliseconds on loopback from a publish to a light's change: median and 99th percentile.
//
// The broker is a process of its own; the lights (50) run here, each as a client of it with a prefix of its own.
// Commands go to one after the other, one at a time, each two milliseconds after the last was obeyed. They come from
// a bare socket, from @pipit/client, and from the real mosquitto_pub: once as one process that reads lines (-l), from
// the line to the light, and a few times as a process for each command, from its start to the light.
//   --messages N (1000)   --devices N (50)
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect, type MqttClient } from '@pipit/client'
import { deviceTopics, type RunningLight, runLight } from '@pipit/device'
import { encode, type QoS } from '@pipit/protocol'
import { Link } from '../packages/cli/src/load/link.ts'
import { program } from '../tools/interop.ts'
import { PIPIT, start } from './lib/brokers.ts'
import { plain } from './lib/load.ts'
import { machineLine } from './lib/machine.ts'
import { median, percentile } from './lib/stats.ts'
import { table } from './lib/table.ts'

const MEDIAN_MS = 2
const P99_MS = 9
/** Commands for which a mosquitto_pub is started. */
const STARTED = 20

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '1000' }, devices: { type: 'string', default: '50' } },
})
const messages = Number(values.messages)
const devices = Number(values.devices)

interface Change {
  readonly device: number
  readonly red: number
}

/** Sends a command to a device; a publisher that lasts has one topic, so it has a Send for each device. */
type Send = (device: number, payload: string, number: number) => void

interface Publisher {
  readonly name: string
  readonly qos: QoS
  readonly count: number
  /** It is one process or connection for all commands. */
  readonly lasts: boolean
  /** Whether it is held to the target. */
  readonly counts: boolean
  readonly send: Send
}

const broker = await start(PIPIT)
const mosquittoPub = program('mosquitto_pub')
const children: ChildProcess[] = []
try {
  const url = `mqtt://127.0.0.1:${broker.port}`
  const changes = new EventEmitter<{ change: [Change] }>()
  const lights = await Promise.all(
    Array.from({ length: devices }, (_, device) => startLight(url, device, changes)),
  )
  const client = await connect(url)
  const socket = await Link.open(plain(broker.port), 'latency-socket')

  const rows: string[][] = []
  let worst = { median: 0, p99: 0 }
  for (const { name, qos, count, lasts, counts, send } of publishers(client, socket)) {
    if (lasts) await measure(send, Math.min(200, count), changes) // until the code is compiled
    const times = await measure(send, count, changes)
    const [middle, p99] = [median(times), percentile(times, 0.99)]
    if (counts) worst = { median: Math.max(worst.median, middle), p99: Math.max(worst.p99, p99) }
    rows.push([name, `QoS ${qos}`, String(count), milliseconds(middle), milliseconds(p99)])
  }
  const [load = 0] = loadavg()
  console.log(`${machineLine()}; ${devices} devices; load ${load.toFixed(1)}`)
  console.log(table(['publisher', '', 'commands', 'median ms', 'p99 ms'], rows))
  if (mosquittoPub === undefined) console.log('mosquitto_pub is not installed: its rows are left out')
  const whose = mosquittoPub === undefined ? 'a publisher that lasts' : 'mosquitto_pub -l'
  console.log(
    `median from publish to callback: ${milliseconds(worst.median)} ms at most, p99 ${milliseconds(worst.p99)} ms; ` +
      `the target for ${whose} is under ${MEDIAN_MS} ms and ${P99_MS} ms`,
  )
  process.exitCode = worst.median < MEDIAN_MS && worst.p99 < P99_MS ? 0 : 1

  for (const child of children) child.stdin?.end()
  await Promise.all(lights.map(async ({ light, close }) => light.stop().then(close)))
  await client.close()
  socket.close()
} finally {
  await broker.stop()
}

async function startLight(
  url: string,
  device: number,
  changes: EventEmitter<{ change: [Change] }>,
): Promise<{ readonly light: RunningLight; readonly close: () => Promise<void> }> {
  const client = await connect(url)
  const onShow = (_: unknown, { r }: { readonly r: number }): unknown =>
    changes.emit('change', { device, red: r })
  const light = await runLight(client, { prefix: prefixOf(device), onShow })
  return { light, close: () => client.close() }
}

function publishers(client: MqttClient, socket: Link): Publisher[] {
  const all: Publisher[] = []
  for (const qos of [0, 1] as const) {
    const lasting = { qos, count: messages, lasts: true, counts: mosquittoPub === undefined }
    all.push({
      ...lasting,
      name: 'bare socket',
      send: (device, payload, number) => socket.write(publishBytes(device, payload, qos, number)),
    })
    all.push({
      ...lasting,
      name: '@pipit/client',
      send: (device, payload) => void client.publish(controlOf(device), payload, { qos }),
    })
    if (mosquittoPub === undefined) continue
    all.push({
      ...lasting,
      counts: true,
      name: 'mosquitto_pub -l, from its line',
      send: linesOf(mosquittoPub, qos),
    })
    all.push({
      qos,
      count: Math.min(STARTED, messages),
      lasts: false,
      counts: false,
      name: 'mosquitto_pub, from its start',
      send: (device, payload) => void spawnPub(mosquittoPub, device, qos, ['-m', payload]),
    })
  }
  return all
}

/** One mosquitto_pub for each device that a command goes to: it has one topic for its life. */
function linesOf(path: string, qos: QoS): Send {
  const started = new Map<number, ChildProcess>()
  return (device, payload) => {
    let child = started.get(device)
    if (child === undefined) {
      child = spawnPub(path, device, qos, ['-l'])
      started.set(device, child)
      children.push(child)
    }
    child.stdin?.write(`${payload}\n`)
  }
}

function spawnPub(path: string, device: number, qos: QoS, how: readonly string[]): ChildProcess {
  const args = [
    '-h',
    '127.0.0.1',
    '-p',
    String(broker.port),
    '-t',
    controlOf(device),
    '-q',
    String(qos),
    ...how,
  ]
  return spawn(path, args, { stdio: ['pipe', 'ignore', 'inherit'] })
}

/** Sends commands one at a time and gives the milliseconds that each took to reach its light's callback. */
async function measure(
  send: Send,
  count: number,
  changes: EventEmitter<{ change: [Change] }>,
): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const device = i % devices
    const red = (i * 7 + 1) % 256
    const payload = JSON.stringify({ action: 'set_color', r: red, g: 255 - red, b: 0, w: 0 })
    const changed = once(changes, 'change')
    let ended = 0
    changes.once('change', () => (ended = performance.now()))
    const begun = performance.now()
    send(device, payload, i)
    const [change] = (await changed) as [Change]
    if (change.device !== device || change.red !== red) {
      throw new Error(`device ${change.device} shows ${change.red} red, not device ${device} ${red}`)
    }
    times.push(ended - begun)
    await pause(2)
  }
  return times
}

function prefixOf(device: number): string {
  return `sensors/light-${device}`
}

function controlOf(device: number): string {
  return deviceTopics(prefixOf(device)).control
}

function publishBytes(device: number, payload: string, qos: QoS, number: number): Uint8Array {
  const packetId = qos === 0 ? 0 : (number % 65535) + 1
  const bytes = new TextEncoder().encode(payload)
  const topic = controlOf(device)
  return encode({ type: 'PUBLISH', topic, payload: bytes, qos, retain: false, dup: false, packetId }, 4)
}

function milliseconds(value: number): string {
  return value.toFixed(3)
}
