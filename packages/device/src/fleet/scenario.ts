import {
  choice,
  duration,
  type Field,
  type FieldFault,
  list,
  moment,
  number,
  object,
  section,
  share,
  text,
  type Values,
} from './field.ts'

const DAY = 86_400_000

/** Everything a scenario may say. docs/guide/fleet.md tells what each key means; a test keeps the two together. */
export const SCENARIO_FIELDS = {
  name: text('fleet', /\S/, 'a name'),
  seed: number(1, 0, Number.MAX_SAFE_INTEGER, true),
  count: number(100, 1, 100_000, true),
  duration: duration('1d', 1000, 3660 * DAY),
  start: moment('2026-06-21T00:00:00Z'),
  device: section({
    topic: text('fleet', /^[^#+\0]*[^#+\0/]$/, 'a topic without # and +, that does not end with /'),
    interval: duration('10m', 1000, 30 * DAY),
    jitter: share(0.05, 0.9),
    outbox: number(1000, 1, 1_000_000, true),
    keep: choice('oldest-first', 'newest-per-topic'),
    reconnect: section({
      enabled: choice('yes', 'no'),
      maxAttempts: number(3, 1, 1000, true),
      backoffFactor: number(2, 1, 100),
      minInterval: duration('1h', 0, 30 * DAY),
      maxInterval: duration('6h', 0, 30 * DAY),
      spread: share(0, 0.5),
    }),
  }),
  weather: section({
    temperature: number(15, -80, 80),
    daySwing: number(6, 0, 50),
    warmestAt: duration('15h', 0, DAY),
    fronts: number(3, 0, 30),
    spread: number(1.5, 0, 30),
    humidity: number(65, 0, 100),
  }),
  network: section({
    loss: share(0, 0.9),
    latency: duration('40ms', 0, 60_000),
    latencySpread: duration('20ms', 0, 60_000),
    retransmitAfter: duration('300ms', 1, 60_000),
    giveUpAfter: number(5, 1, 15, true),
    connectTimeout: duration('10s', 1, 600_000),
  }),
  outages: list({
    at: duration(),
    for: duration(undefined, 1),
    kind: choice('restart', 'unreachable'),
  }),
  brownOuts: list({
    at: duration(),
    for: duration('0s'),
    share: share(1),
  }),
  clocks: section({
    drift: number(0, 0, 100_000),
    unset: share(0),
  }),
  rollOut: list({
    at: duration(),
    version: number(1, 0, Number.MAX_SAFE_INTEGER, true),
    share: share(1),
    set: object(),
  }),
} as const satisfies Readonly<Record<string, Field<unknown>>>

export type Scenario = Values<typeof SCENARIO_FIELDS>
export type Outage = Scenario['outages'][number]
export type BrownOut = Scenario['brownOuts'][number]
export type RollOut = Scenario['rollOut'][number]
export type NetworkConditions = Scenario['network']

export interface CheckedScenario {
  /** Whole only when there are no faults. */
  readonly scenario: Scenario
  readonly faults: readonly FieldFault[]
}

/** Reads a scenario as it was parsed from YAML or JSON; what it does not say has its default. */
export function checkScenario(document: unknown): CheckedScenario {
  const faults: FieldFault[] = []
  const scenario = section(SCENARIO_FIELDS).read(document, [], faults)
  if (faults.length === 0) faults.push(...contradictions(scenario))
  return { scenario, faults }
}

/** What each key takes by itself, but not together. */
function contradictions(scenario: Scenario): FieldFault[] {
  const faults: FieldFault[] = []
  const { outages, brownOuts, rollOut, duration: whole } = scenario
  const late = (name: string, entries: readonly { readonly at: number }[]): void =>
    entries.forEach((entry, i) => {
      if (entry.at < whole) return
      faults.push({
        path: [name, i, 'at'],
        message: `${name}[${i}].at is after the end; duration is ${whole / 60_000}m`,
      })
    })
  late('outages', outages)
  late('brown_outs', brownOuts)
  late('roll_out', rollOut)
  outages.forEach((outage, i) => {
    const before = outages[i - 1]
    if (before === undefined || outage.at >= before.at + before.for) return
    const message = `outages[${i}].at is within the outage before it; put them in order, each after the end of the one before`
    faults.push({ path: ['outages', i, 'at'], message })
  })
  const { reconnect } = scenario.device
  if (reconnect.minInterval > reconnect.maxInterval) {
    const message = 'device.reconnect.min_interval is longer than max_interval; make it shorter'
    faults.push({ path: ['device', 'reconnect', 'min_interval'], message })
  }
  return faults
}
