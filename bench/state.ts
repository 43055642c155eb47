// What a broker holds: connections that come and go, 100,000 wildcard filters, 100,000 retained messages, a queue of 100,000.
//
// Per broker CPU second, beside Debian's Mosquitto and npm's aedes, each started anew and in turn (A B C, A B C …) on one
// core, the load on another. What is lost, comes twice, astray or out of order is said, and makes the exit code 1.
// Ours keeps retained messages and the queue on the disk; the others keep them in memory.
//   --rounds N (3)   --seconds N (3)   --warm-up N (3)   --count N (100000)   --only NAME,NAME   --json FILE: figures to draw
import { spawnSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { aedes, type BrokerKind, mosquittos, PIPIT, start } from './lib/brokers.ts'
import { machineLine, pinned } from './lib/machine.ts'
import type { StateLoad, StateResult } from './lib/state-load-process.ts'
import { median } from './lib/stats.ts'
import { count, table } from './lib/table.ts'

const BROKER_CORE = 0
const LOAD_CORE = 1
const CONNECTING = 100

const SCENARIOS = {
  connect: `CONNECT to CONNACK, DISCONNECT and away, ${CONNECTING} at a time`,
  wild: 'filters with a wildcard at 100 subscribers; 10 publishers, each message meets one filter; QoS 0',
  retained: 'retained messages to a new subscriber at QoS 1',
  offline: 'messages to a session at QoS 1 that comes back',
} as const
type Scenario = keyof typeof SCENARIOS

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    'warm-up': { type: 'string', default: '3' },
    count: { type: 'string', default: '100000' },
    only: { type: 'string', default: Object.keys(SCENARIOS).join(',') },
    json: { type: 'string' },
  },
})

console.log(machineLine())
for (const name of values.only.split(',')) {
  if (!(name in SCENARIOS)) throw new RangeError(`--only ${name}: want ${Object.keys(SCENARIOS).join(', ')}`)
  await compare(name as Scenario)
}

async function compare(scenario: Scenario): Promise<void> {
  const kinds = [PIPIT, ...mosquittos(), aedes()]
  const rates = new Map<string, number[]>(kinds.map(({ name }) => [name, []]))
  const rows: string[][] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const kind of kinds) {
      const { result, faults } = await measure(kind, scenario)
      rates.get(kind.name)?.push(result.done / result.brokerCpuSeconds)
      const bytes = result.bytesEach === undefined ? '' : count(result.bytesEach)
      rows.push([
        kind.name,
        String(round),
        count(result.done / result.brokerCpuSeconds),
        count(result.done / result.seconds),
        bytes,
        faults,
      ])
    }
  }
  const what = scenario === 'connect' ? '' : `${count(Number(values.count))} `
  console.log(`\n${scenario}: ${what}${SCENARIOS[scenario]}`)
  console.log(table(['broker', 'round', 'per CPU s', 'per s', 'bytes each', ''], rows))
  report(scenario, rates)
}

function report(scenario: Scenario, rates: ReadonlyMap<string, readonly number[]>): void {
  const medians = Object.fromEntries([...rates].map(([name, each]) => [name, Math.round(median(each))]))
  console.log(
    `median: ${Object.entries(medians)
      .map(([name, rate]) => `${name} ${count(rate)}`)
      .join(', ')}`,
  )
  const theirs = [...rates].filter(([name]) => name.startsWith('mosquitto')).map(([, each]) => each)
  if (theirs.length === 0) return
  const perRound = (rates.get(PIPIT.name) ?? []).map(
    (rate, i) => rate / Math.max(...theirs.map((each) => each[i] ?? 0)),
  )
  const ratio = median(perRound)
  console.log(`ratio to the better Mosquitto: ${ratio.toFixed(2)}`)
  const figures = { scenario, machine: machineLine(), ratio, medians }
  if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(figures)}\n`)
}

async function measure(
  kind: BrokerKind,
  scenario: Scenario,
): Promise<{ readonly result: StateResult; readonly faults: string }> {
  const broker = await start(kind, BROKER_CORE)
  try {
    const load: StateLoad = {
      scenario,
      port: broker.port,
      pid: broker.pid,
      count: scenario === 'connect' ? CONNECTING : Number(values.count),
      warmUpSeconds: Number(values['warm-up']),
      seconds: Number(values.seconds),
    }
    const script = join(import.meta.dirname, 'lib', 'state-load-process.ts')
    const node = [process.execPath, '--conditions=@pipit/source', script, JSON.stringify(load)]
    const [file = '', ...args] = pinned(LOAD_CORE, node)
    const { stdout, stderr, status } = spawnSync(file, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${kind.name}, ${scenario}: ${stderr}`)
    const result = JSON.parse(stdout) as StateResult
    return { result, faults: faultsOf(kind, result) }
  } finally {
    await broker.stop()
  }
}

/** What was wrong, in words; of ours it makes the exit code 1. */
function faultsOf(kind: BrokerKind, { lost, repeated, strange }: StateResult): string {
  const found = Object.entries({ lost, repeated, strange }).filter(([, n]) => n > 0)
  if (found.length > 0 && kind === PIPIT) process.exitCode = 1
  return found.map(([what, n]) => `${n} ${what}`).join(', ')
}
