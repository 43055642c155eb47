// Messages per broker CPU second beside Debian's Mosquitto and npm's aedes, in the shapes that brokers meet.
//
// Each broker is started in turn (A B C, A B C …) on the same core, the load generator on another. What counts is
// CPU time, which another process on the machine disturbs little; the ratio of a round is to the better Mosquitto.
// Every message is checked: what is lost, comes twice or comes late is said, and makes the exit code 1.
//   --rounds N (3)   --seconds N (3)   --warm-up N (2)   --only NAME,NAME   --json FILE: figures to draw
//   --smoke: no timing, only that all arrives at ours
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Load } from '../packages/cli/src/load/shape.ts'
import { aedes, type BrokerKind, mosquittos, PIPIT, start } from './lib/brokers.ts'
import { faultsOf, type Measured, measured, milliseconds, plain } from './lib/load.ts'
import { canPin, machineLine, pinned, residentBytes } from './lib/machine.ts'
import { median } from './lib/stats.ts'
import { count, table } from './lib/table.ts'

const BROKER_CORE = 0
const GENERATOR_CORE = 1

type Scenario = Pick<
  Load,
  'topology' | 'publishers' | 'subscribers' | 'qos' | 'size' | 'inFlight' | 'window'
> &
  Partial<Pick<Load, 'properties' | 'alias' | 'rate'>> & {
    /** Of MQTT; default 4. */
    readonly version?: 4 | 5
  }

const PAIRS = {
  topology: 'pairs',
  publishers: 10,
  subscribers: 1,
  qos: 0,
  size: 16,
  inFlight: 1000,
  window: 100,
} as const
const PAIRS_1 = { ...PAIRS, qos: 1 } as const
const PING = { ...PAIRS, publishers: 500, inFlight: 1, window: 1 } as const
const FAN = { ...PAIRS, topology: 'fan-out', publishers: 1 } as const
const SHARED = { ...PAIRS, topology: 'shared', subscribers: 10, inFlight: 500 } as const
const CONTENT = { contentType: 'application/json', userProperties: [['unit', 'C']] } as const

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  p2p0: PAIRS,
  'p2p0-256': { ...PAIRS, size: 256 },
  'p2p0-4k': { ...PAIRS, size: 4096, inFlight: 100 },
  p2p1: PAIRS_1,
  'p2p1-256': { ...PAIRS_1, size: 256 },
  'p2p1-4k': { ...PAIRS_1, size: 4096 },
  p2p2: { ...PAIRS, qos: 2 },
  'p2p0-v5': { ...PAIRS, version: 5 },
  'p2p1-v5': { ...PAIRS_1, version: 5 },
  'p2p0-properties': { ...PAIRS, version: 5, properties: CONTENT },
  'p2p0-alias': { ...PAIRS, version: 5, alias: true },
  fan100: { ...FAN, subscribers: 100, inFlight: 200 },
  fan1000: { ...FAN, subscribers: 1000, inFlight: 50 },
  'fan1000-one': { ...FAN, subscribers: 1000, inFlight: 1 },
  fanin100: { ...PAIRS, topology: 'fan-in', publishers: 100, inFlight: 100 },
  ping0: PING,
  ping1: { ...PING, qos: 1 },
  shared: SHARED,
  shared1: { ...SHARED, qos: 1, inFlight: 200 },
  rate10k: { ...PAIRS, publishers: 500, size: 64, rate: 10_000 },
  'outstanding-1': { ...PAIRS, publishers: 50, inFlight: 1 },
  'outstanding-4': { ...PAIRS, publishers: 50, inFlight: 4 },
  'outstanding-16': { ...PAIRS, publishers: 50, inFlight: 16 },
  'outstanding-64': { ...PAIRS, publishers: 50, inFlight: 64 },
}

/** What `--smoke` sends: messages for each publisher. */
const SMOKE: Readonly<Record<string, number>> = {
  p2p0: 2000,
  p2p1: 2000,
  p2p2: 500,
  fan100: 500,
  shared1: 500,
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    'warm-up': { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
})

let faulty = false

console.log(machineLine())
if (values.smoke) for (const [name, messages] of Object.entries(SMOKE)) await smoke(name, messages)
else {
  const kinds = [PIPIT, ...mosquittos(), aedes()]
  if (kinds.length === 2) console.log('Mosquitto is not installed: aedes alone is beside ours')
  if (!canPin(GENERATOR_CORE)) console.log('cores cannot be told apart here: broker and generator share them')
  for (const name of values.only?.split(',') ?? Object.keys(SCENARIOS)) await compare(name, kinds)
}
process.exitCode = faulty ? 1 : 0

/** Sends a fixed number of messages through our broker and says whether all arrived, once and in order. */
async function smoke(name: string, messages: number): Promise<void> {
  const scenario = scenarioOf(name)
  const { result } = await measure(PIPIT, { ...scenario, messages, warmUpSeconds: 0, seconds: 0 })
  const { publishers, subscribers, topology } = scenario
  const wanted = messages * publishers * (topology === 'fan-out' ? subscribers : 1)
  if (result.delivered !== wanted) faulty = true
  console.log(
    `${name}: ${[`${result.delivered} of ${wanted} delivered`, faultsOf(result)].filter(Boolean).join(', ')}`,
  )
}

function scenarioOf(name: string): Scenario {
  const scenario = SCENARIOS[name]
  if (scenario === undefined)
    throw new RangeError(`--only ${name}: want ${Object.keys(SCENARIOS).join(', ')}`)
  return scenario
}

async function compare(name: string, all: readonly BrokerKind[]): Promise<void> {
  const scenario = scenarioOf(name)
  // A broker without MQTT 5.0 has no rows of it.
  const kinds = all.filter((kind) => scenario.version !== 5 || kind.speaks5)
  const rates = new Map<string, number[]>(kinds.map((kind) => [kind.name, []]))
  const rows: string[][] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const kind of kinds) {
      const time = { warmUpSeconds: Number(values['warm-up']), seconds: Number(values.seconds) }
      const { result, resident } = await measure(kind, { ...scenario, ...time })
      const rate = result.delivered / result.brokerCpuSeconds
      rates.get(kind.name)?.push(rate)
      rows.push([kind.name, String(round), count(rate), ...detailsOf(result, resident), faultsOf(result)])
    }
  }
  console.log(`\n${name}: ${describe(scenario)}`)
  const head = [
    'broker',
    'round',
    'msg per CPU s',
    'msg per s',
    'p50 ms',
    'p99 ms',
    'MB',
    'broker',
    'generator',
    '',
  ]
  console.log(table(head, rows))
  report(name, rates)
}

/** The ratio to the better Mosquitto of each round, and the median of the rounds. */
function report(name: string, rates: ReadonlyMap<string, readonly number[]>): void {
  const medians = Object.fromEntries([...rates].map(([kind, each]) => [kind, Math.round(median(each))]))
  const shownMedians = Object.entries(medians).map(([kind, rate]) => `${kind} ${count(rate)}`)
  console.log(`median: ${shownMedians.join(', ')}`)
  const theirs = [...rates].filter(([kind]) => kind.startsWith('mosquitto')).map(([, each]) => each)
  const perRound = (rates.get(PIPIT.name) ?? []).map(
    (rate, i) => rate / Math.max(...theirs.map((each) => each[i] ?? 0)),
  )
  const ratio = theirs.length === 0 ? Number.NaN : median(perRound)
  if (theirs.length > 0) {
    const shown = perRound.map((each) => each.toFixed(2)).join(' ')
    console.log(`ratio to the better Mosquitto, per round: ${shown}; median ${ratio.toFixed(2)}`)
  }
  const figures = { scenario: name, machine: machineLine(), ratio, medians }
  if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(figures)}\n`)
}

async function measure(
  kind: BrokerKind,
  { version = 4, ...rest }: Scenario & Pick<Load, 'warmUpSeconds' | 'seconds' | 'messages'>,
): Promise<{ result: Measured; resident: number }> {
  const broker = await start(kind, BROKER_CORE)
  try {
    const load = { ...rest, target: { ...plain(broker.port), version }, prefix: 'bench' }
    const result = await measured(load, broker.pid, { pinned: pinned(GENERATOR_CORE, []) })
    if (faultsOf(result) !== '') faulty = true
    return { result, resident: residentBytes(broker.pid) }
  } finally {
    await broker.stop()
  }
}

function detailsOf(result: Measured, resident: number): string[] {
  const share = (cpu: number): string => `${((100 * cpu) / result.seconds).toFixed(0)} %`
  const times = [0.5, 0.99].map((part) => milliseconds(result.latencies, part).toFixed(2))
  const megabytes = (resident / 1e6).toFixed(0)
  const busy = [share(result.brokerCpuSeconds), share(result.generatorCpuSeconds)]
  return [count(result.delivered / result.seconds), ...times, megabytes, ...busy]
}

function describe({
  topology,
  publishers,
  subscribers,
  qos,
  size,
  inFlight,
  window,
  version,
  rate,
}: Scenario): string {
  const shape = topology === 'pairs' ? `${publishers} pairs` : `${topology}, ${publishers} to ${subscribers}`
  const limits = qos > 0 ? `${inFlight} in flight, ${window} unacknowledged` : `${inFlight} in flight`
  const pace = rate === undefined ? '' : `, ${count(rate)} a second in all`
  return `${shape}, QoS ${qos}, ${size} bytes, MQTT ${version === 5 ? '5.0' : '3.1.1'}, ${limits} for each publisher${pace}`
}
