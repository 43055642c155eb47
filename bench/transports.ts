// What TLS and WebSocket cost beside plain TCP: messages per broker CPU second, the same load on each listener in turn.
//
// --rounds N (3)   --seconds N (3)   --warm-up N (2)
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Target } from '../packages/cli/src/load/link.ts'
import { freePort, PIPIT, type RunningBroker, start } from './lib/brokers.ts'
import { faultsOf, measured, plain } from './lib/load.ts'
import { machineLine, pinned } from './lib/machine.ts'
import { median } from './lib/stats.ts'
import { count, table } from './lib/table.ts'

const BROKER_CORE = 0
const GENERATOR_CORE = 1
/** Of plain TCP's rate, at least. */
const WANTED = 0.5

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    'warm-up': { type: 'string', default: '2' },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'pipit-transports-'))
const cli = join(import.meta.dirname, '..', 'packages', 'cli', 'bin', 'pipit.js')
execFileSync(process.execPath, [cli, 'cert', 'dev', '--folder', join(folder, 'certs'), '--data', folder])
const ca = readFileSync(join(folder, 'certs', 'ca.crt'), 'utf8')

console.log(machineLine())
let missed = false
for (const qos of [0, 1] as const) await compare(qos)
rmSync(folder, { recursive: true })
process.exitCode = missed ? 1 : 0

async function compare(qos: 0 | 1): Promise<void> {
  const rates = new Map<string, number[]>()
  const rows: string[][] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const name of ['tcp', 'tls', 'websocket', 'websocket over tls']) {
      const { rate, cells } = await measure(name, qos)
      rates.set(name, [...(rates.get(name) ?? []), rate])
      rows.push([name, String(round), count(rate), ...cells])
    }
  }
  console.log(`\n10 pairs, QoS ${qos}, 256 bytes`)
  console.log(table(['listener', 'round', 'msg per CPU s', 'msg per s', 'generator', ''], rows))
  const tcp = rates.get('tcp') ?? []
  for (const [name, each] of rates) {
    const ratio = median(each.map((rate, i) => rate / (tcp[i] ?? Number.NaN)))
    if (ratio < WANTED) missed = true
    console.log(`${name}: ${ratio.toFixed(2)} of plain TCP`)
  }
}

async function measure(name: string, qos: 0 | 1): Promise<{ rate: number; cells: string[] }> {
  const { broker, target } = await listening(name)
  try {
    const load = {
      target,
      topology: 'pairs',
      publishers: 10,
      subscribers: 1,
      qos,
      size: 256,
      inFlight: 1000,
      window: 100,
      warmUpSeconds: Number(values['warm-up']),
      seconds: Number(values.seconds),
      prefix: 'bench',
    } as const
    const result = await measured(load, broker.pid, { pinned: pinned(GENERATOR_CORE, []) })
    if (faultsOf(result) !== '') missed = true
    const generator = `${((100 * result.generatorCpuSeconds) / result.seconds).toFixed(0)} %`
    const cells = [count(result.delivered / result.seconds), generator, faultsOf(result)]
    return { rate: result.delivered / result.brokerCpuSeconds, cells }
  } finally {
    await broker.stop()
  }
}

/** A broker with one listener beside the plain one, and how that is reached. */
async function listening(name: string): Promise<{ broker: RunningBroker; target: Target }> {
  const port = await freePort()
  const isTls = name.endsWith('tls')
  const isWebSocket = name.startsWith('websocket')
  const certs = join(folder, 'certs')
  const tls = isTls ? [`    tls: { certificate: ${certs}/server.crt, key: ${certs}/server.key }`] : []
  const kind = {
    ...PIPIT,
    command: (first: number, data: string): string[] => {
      const config = join(data, 'pipit.yaml')
      const type = isWebSocket ? 'websocket' : 'tcp'
      const lines = ['listeners:', `  - port: ${first}`, `  - port: ${port}`, `    type: ${type}`, ...tls]
      writeFileSync(config, `${lines.join('\n')}\n`)
      return [process.execPath, cli, 'broker', '--config', config, '--data', join(data, 'data')]
    },
  }
  const broker = await start(kind, BROKER_CORE)
  const secured = isTls ? { tls: { ca, verify: true } } : {}
  const path = isWebSocket ? { webSocketPath: '/mqtt' } : {}
  return { broker, target: { ...plain(name === 'tcp' ? broker.port : port), ...secured, ...path } }
}
