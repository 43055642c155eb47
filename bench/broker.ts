// Messages per broker CPU second beside Debian's Mosquitto: 10 pairs at QoS 0 and 1, and 1 to 100.
//
// Each broker is started in turn (A B C, A B C …) on the same core, the load generator on another. What counts is
// CPU time, which another process on the machine disturbs little; the ratio of a round is to the better Mosquitto.
//   --rounds N (3)   --seconds N (2)   --warm-up N (1)   --only NAME,NAME   --smoke: no timing, only that all arrives
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type BrokerKind, mosquittos, PIPIT, start } from './lib/brokers.ts'
import { canPin, machineLine, pinned } from './lib/machine.ts'
import { median } from './lib/stats.ts'
import { count, table } from './lib/table.ts'
import type { LoadOptions, LoadResult } from './load/generator.ts'

const BROKER_CORE = 0
const GENERATOR_CORE = 1

type Scenario = Pick<LoadOptions, 'publishers' | 'subscribers' | 'qos' | 'size' | 'credit' | 'window'>

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'pairs-qos0': { publishers: 10, subscribers: 1, qos: 0, size: 16, credit: 1000, window: 100 },
  'pairs-qos1': { publishers: 10, subscribers: 1, qos: 1, size: 16, credit: 1000, window: 100 },
  'one-to-100': { publishers: 1, subscribers: 100, qos: 0, size: 16, credit: 200, window: 100 },
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    'warm-up': { type: 'string', default: '1' },
    only: { type: 'string', default: Object.keys(SCENARIOS).join(',') },
    smoke: { type: 'boolean', default: false },
  },
})

// A smoke test is of our broker; beside others it would be a comparison.
const kinds = values.smoke ? [PIPIT] : [PIPIT, ...mosquittos()]
let faulty = false

console.log(machineLine())
if (kinds.length === 1 && !values.smoke) console.log('Mosquitto is not installed: no comparison')
if (!canPin(GENERATOR_CORE)) console.log('cores cannot be told apart here: broker and generator share them')
for (const name of values.only.split(',')) {
  const scenario = SCENARIOS[name]
  if (scenario === undefined)
    throw new RangeError(`--only ${name}: want ${Object.keys(SCENARIOS).join(', ')}`)
  if (values.smoke) await smoke(name, scenario)
  else await compare(name, scenario)
}
process.exitCode = faulty ? 1 : 0

/** Sends a fixed number of messages through each broker and says whether all arrived, once and in order. */
async function smoke(name: string, scenario: Scenario): Promise<void> {
  for (const kind of kinds) {
    const messages = scenario.subscribers > 1 ? 500 : 2000
    const result = await measure(kind, { ...scenario, messages, warmUpSeconds: 0, seconds: 0 })
    const wanted = messages * scenario.publishers * scenario.subscribers
    const complete = result.delivered === wanted
    if (!complete) faulty = true
    console.log(`${name}, ${kind.name}: ${result.delivered} of ${wanted} delivered${faultsOf(result)}`)
  }
}

async function compare(name: string, scenario: Scenario): Promise<void> {
  const rates = new Map<string, number[]>(kinds.map((kind) => [kind.name, []]))
  const rows: string[][] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const kind of kinds) {
      const time = { warmUpSeconds: Number(values['warm-up']), seconds: Number(values.seconds) }
      const result = await measure(kind, { ...scenario, ...time })
      const rate = result.delivered / result.brokerCpuSeconds
      rates.get(kind.name)?.push(rate)
      rows.push([kind.name, String(round), count(rate), ...loadOf(result), faultsOf(result)])
    }
  }
  console.log(`\n${name}: ${describe(scenario)}`)
  console.log(
    table(['broker', 'round', 'msg per CPU s', 'msg per s', 'broker CPU', 'generator CPU', ''], rows),
  )
  report(rates)
}

/** The ratio to the better Mosquitto of each round, and the median of the rounds. */
function report(rates: ReadonlyMap<string, readonly number[]>): void {
  const [ours = [], ...theirs] = [...rates.values()]
  console.log(`median: ${[...rates].map(([kind, each]) => `${kind} ${count(median(each))}`).join(', ')}`)
  if (theirs.length === 0) return
  const perRound = ours.map((rate, i) => rate / Math.max(...theirs.map((each) => each[i] ?? 0)))
  const shown = perRound.map((ratio) => ratio.toFixed(2)).join(' ')
  console.log(`ratio to the better Mosquitto, per round: ${shown}; median ${median(perRound).toFixed(2)}`)
}

async function measure(kind: BrokerKind, load: Omit<LoadOptions, 'port' | 'pid'>): Promise<LoadResult> {
  const broker = await start(kind, BROKER_CORE)
  try {
    return await generate({ ...load, port: broker.port, pid: broker.pid })
  } finally {
    await broker.stop()
  }
}

/** Runs the load generator in a process of its own. */
async function generate(options: LoadOptions): Promise<LoadResult> {
  const script = join(import.meta.dirname, 'load', 'generator.ts')
  const command = [process.execPath, '--conditions=@pipit/source', script, JSON.stringify(options)]
  const [file = '', ...args] = pinned(GENERATOR_CORE, command)
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (bytes) => (output += bytes))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error('the load generator failed: its words are above')
  return JSON.parse(output) as LoadResult
}

function loadOf(result: LoadResult): string[] {
  const share = (cpu: number) => `${((100 * cpu) / result.seconds).toFixed(0)} %`
  const perSecond = count(result.delivered / result.seconds)
  return [perSecond, share(result.brokerCpuSeconds), share(result.generatorCpuSeconds)]
}

function faultsOf({ lost, repeated, strange, unacknowledged }: LoadResult): string {
  const found = Object.entries({ lost, repeated, strange, unacknowledged }).filter(([, n]) => n > 0)
  if (found.length > 0) faulty = true
  return found.map(([what, n]) => `, ${n} ${what}`).join('')
}

function describe({ publishers, subscribers, qos, size, credit, window }: Scenario): string {
  const shape = subscribers === 1 ? `${publishers} pairs` : `${publishers} to ${subscribers}`
  const limits = qos > 0 ? `${credit} in flight, ${window} unacknowledged` : `${credit} in flight`
  return `${shape}, QoS ${qos}, ${size} bytes, ${limits} for each publisher`
}
