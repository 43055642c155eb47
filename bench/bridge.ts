// The bridge: commands answered with 202 in a second beside a bare fastify route, and from POST to the device's callback.
//
// Servers take turns (bridge, bare, bridge …) in one run, each pinned to one core with its thread; the load comes from
// the other. A 202 of the bridge is a command that is on the disk. What a core can do is the figure by CPU second:
// it does not depend on what else the machine is doing.
//   --rounds N (3)   --seconds N (3)   --connections N (128)   --commands N (300)   --only rate,latency
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '@pipit/client'
import { PIPIT, start } from './lib/brokers.ts'
import { cpuSeconds } from './lib/cpu.ts'
import { HttpLoad } from './lib/http-load.ts'
import { machineLine, pinned } from './lib/machine.ts'
import { median, percentile, ratios } from './lib/stats.ts'
import { count, table } from './lib/table.ts'

const TARGET_PER_SECOND = 8_000
const TARGET_MS = 5

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '128' },
    commands: { type: 'string', default: '300' },
    only: { type: 'string', default: 'rate,latency' },
  },
})
const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'pipit-bench-bridge-'))
console.log(machineLine())
try {
  if (values.only.includes('rate')) await rate()
  if (values.only.includes('latency')) await latency()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

interface Measured {
  readonly perSecond: number
  /** Of one core's time. */
  readonly perCpuSecond: number
}

async function rate(): Promise<void> {
  const results: Record<'bridge' | 'bare', Measured[]> = { bridge: [], bare: [] }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const kind of ['bridge', 'bare'] as const) {
      results[kind].push(await measureRate(kind, join(folder, `rate-${round}.db`)))
    }
  }
  const rows = (['bridge', 'bare'] as const).map((kind) => {
    const of = (pick: (each: Measured) => number): string => count(median(results[kind].map(pick)))
    return [kind, of((each) => each.perSecond), of((each) => each.perCpuSecond)]
  })
  console.log(table(['202 answers', 'per second', 'per CPU second'], rows))
  const [ours, bare] = [results.bridge, results.bare].map((each) =>
    each.map(({ perCpuSecond }) => perCpuSecond),
  )
  const most = median(ours ?? [])
  console.log(
    `a CPU second, bridge to bare route: ${median(ratios(ours ?? [], bare ?? [])).toFixed(2)}; one core answers ${count(most)}, the target is over ${count(TARGET_PER_SECOND)}`,
  )
  if (most <= TARGET_PER_SECOND) process.exitCode = 1
}

async function measureRate(kind: 'bridge' | 'bare', file: string): Promise<Measured> {
  const script = join(root, 'packages', 'bridge', 'test', 'bench-server.ts')
  const command = pinned(0, [process.execPath, '--conditions=@pipit/source', script, kind, file])
  const [port, server] = await started(command, /^(\d+)/)
  try {
    const body = JSON.stringify({ topic: 'bench/topic', payload: 'x'.repeat(64), qos: 1 })
    const text =
      `POST /v1/commands HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`
    const load = new HttpLoad(Number(port), text, Number(values.connections))
    await pause(1_000) // until the code is compiled
    const [before, cpuBefore] = [load.answers, cpuSeconds(server.pid ?? 0)]
    const begun = performance.now()
    await pause(Number(values.seconds) * 1000)
    const seconds = (performance.now() - begun) / 1000
    const [answers, cpu] = [load.answers - before, cpuSeconds(server.pid ?? 0) - cpuBefore]
    load.end()
    return { perSecond: answers / seconds, perCpuSecond: answers / cpu }
  } finally {
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
}

async function latency(): Promise<void> {
  const broker = await start(PIPIT)
  const url = `mqtt://127.0.0.1:${broker.port}`
  const launcher = join(root, 'packages', 'cli', 'bin', 'pipit.js')
  const shared = ['--broker', url, '--queue', join(folder, 'latency.db')]
  const bridge = (part: string, ...more: string[]): string[] => [
    process.execPath,
    launcher,
    'bridge',
    part,
    ...shared,
    ...more,
  ]
  const [address, api] = await started(bridge('api', '--port', '0'), /ready on (\S+)/)
  const [, worker] = await started(bridge('worker'), /at work/)
  const device = await connect(url)
  try {
    const heard = new EventEmitter()
    device.onMessage((message) => heard.emit(message.text()))
    await device.subscribe('device/control', { qos: 2 })
    const agent = new Agent({ keepAlive: true })
    const rows: string[][] = []
    for (const qos of [1, 2]) {
      await times(address, agent, heard, qos, 100) // until the code is compiled
      const taken = await times(address, agent, heard, qos, Number(values.commands))
      rows.push([`QoS ${qos}`, median(taken).toFixed(2), percentile(taken, 0.99).toFixed(2)])
      if (median(taken) >= TARGET_MS) process.exitCode = 1
    }
    console.log(table(['POST to callback', 'median ms', 'p99 ms'], rows))
    console.log(`the target is a median under ${TARGET_MS} ms`)
    agent.destroy()
  } finally {
    await device.close()
    for (const child of [api, worker]) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await broker.stop()
  }
}

/** One command at a time, two milliseconds after the last was heard. */
async function times(
  address: string,
  agent: Agent,
  heard: EventEmitter,
  qos: number,
  commands: number,
): Promise<number[]> {
  const taken: number[] = []
  for (let i = 0; i < commands; i++) {
    const payload = `${qos}-${i}-${Math.random()}`
    const came = once(heard, payload).then(() => performance.now())
    const begun = performance.now()
    post(address, agent, JSON.stringify({ topic: 'device/control', payload, qos }))
    taken.push((await came) - begun)
    await pause(2)
  }
  return taken
}

function post(address: string, agent: Agent, body: string): void {
  const headers = { 'content-type': 'application/json' }
  const asking = request(`${address}/v1/commands`, { method: 'POST', agent, headers }, (answer) => {
    if (answer.statusCode !== 202) throw new Error(`the answer was ${answer.statusCode}`)
    answer.resume()
  })
  asking.end(body)
}

/** Starts a process and settles with what the pattern finds in its output. */
async function started(command: readonly string[], pattern: RegExp): Promise<[string, ChildProcess]> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (part) => {
      text += String(part)
      const found = pattern.exec(text)
      if (found !== null) resolve([found[1] ?? '', child])
    })
    child.once('exit', () => reject(new Error(`${command.join(' ')} ended: ${text}`)))
  })
}
