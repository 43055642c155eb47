// Milliseconds on loopback from a publish to the light's callback: median and 99th percentile.
//
// The broker is a process of its own; the light runs here, as a client of it. Commands come one at a time, two
// milliseconds after the last was obeyed, from a bare socket (what mosquitto_pub does, without its start) and
// from @pipit/client.   --messages N (1000)
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '@pipit/client'
import { deviceTopics, type LightState, runLight } from '@pipit/device'
import { encode, type QoS } from '@pipit/protocol'
import { PIPIT, start } from './lib/brokers.ts'
import { machineLine } from './lib/machine.ts'
import { median, percentile } from './lib/stats.ts'
import { table } from './lib/table.ts'
import { Link } from './load/link.ts'

const TARGET_MS = 2

const { values } = parseArgs({ options: { messages: { type: 'string', default: '1000' } } })
const messages = Number(values.messages)
const { control } = deviceTopics()

type Send = (payload: string, qos: QoS, number: number) => void

const broker = await start(PIPIT)
try {
  const url = `mqtt://127.0.0.1:${broker.port}`
  const shown = new EventEmitter<{ show: [LightState] }>()
  const lightClient = await connect(url)
  const light = await runLight(lightClient, { onShow: (_, state) => shown.emit('show', state) })
  const publisher = await connect(url)
  const socket = await Link.open(broker.port, 'latency-socket')
  const senders: Record<string, Send> = {
    'bare socket': (payload, qos, number) => socket.write(publishBytes(payload, qos, number)),
    '@pipit/client': (payload, qos) => void publisher.publish(control, payload, { qos }),
  }

  const rows: string[][] = []
  const medians: number[] = []
  for (const [name, send] of Object.entries(senders)) {
    for (const qos of [0, 1] as const) {
      await measure(send, qos, Math.min(200, messages), shown) // until the code is compiled
      const times = await measure(send, qos, messages, shown)
      medians.push(median(times))
      rows.push([name, `QoS ${qos}`, milliseconds(median(times)), milliseconds(percentile(times, 0.99))])
    }
  }
  console.log(machineLine())
  console.log(table(['publisher', '', 'median ms', 'p99 ms'], rows))
  const worst = Math.max(...medians)
  console.log(
    `median from publish to callback: ${milliseconds(worst)} ms at most; the target is under ${TARGET_MS} ms`,
  )
  process.exitCode = worst < TARGET_MS ? 0 : 1

  await light.stop()
  await Promise.all([lightClient.close(), publisher.close()])
  socket.close()
} finally {
  await broker.stop()
}

/** Sends commands one at a time and gives the milliseconds that each took to reach the light's callback. */
async function measure(
  send: Send,
  qos: QoS,
  count: number,
  shown: EventEmitter<{ show: [LightState] }>,
): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const red = i % 256
    const payload = JSON.stringify({ action: 'set_color', r: red, g: 255 - red, b: 0, w: 0 })
    const callback = once(shown, 'show')
    const begun = performance.now()
    let ended = 0
    shown.once('show', () => (ended = performance.now()))
    send(payload, qos, i)
    const [state] = (await callback) as [LightState]
    if (state.r !== red) throw new Error(`the light shows ${state.r} red, not ${red}`)
    times.push(ended - begun)
    await pause(2)
  }
  return times
}

function publishBytes(payload: string, qos: QoS, number: number): Uint8Array {
  const packetId = qos === 0 ? 0 : (number % 65535) + 1
  const bytes = new TextEncoder().encode(payload)
  return encode(
    { type: 'PUBLISH', topic: control, payload: bytes, qos, retain: false, dup: false, packetId },
    4,
  )
}

function milliseconds(value: number): string {
  return value.toFixed(3)
}
