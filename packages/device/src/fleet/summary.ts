import type { DeviceFigures } from './fleet-device.ts'
import { type Account, lostReadings } from './ledger.ts'
import type { Scenario } from './scenario.ts'
import { spoken } from './units.ts'

/** Least, mean and most of the devices. */
export interface Spread {
  readonly least: number
  readonly mean: number
  readonly most: number
}

/** What came of a run. Times in milliseconds, charge in milliampere hours. */
export interface FleetSummary {
  readonly scenario: string
  readonly seed: number
  readonly devices: number
  readonly durationMs: number
  readonly readings: Account
  /** Readings that are gone for good. */
  readonly lostReadings: number
  readonly wakes: number
  readonly connections: { readonly attempts: number; readonly failed: number }
  /** Segments that a lossy link sent again or held up. */
  readonly linkDelays: number
  readonly outages: number
  readonly brownOuts: number
  readonly configurations: { readonly applied: number; readonly refused: number }
  readonly bytes: { readonly sent: number; readonly received: number }
  readonly radioOnMsPerDay: Spread
  readonly mahPerDay: Spread
  /** What the rig itself could not do. */
  readonly faults: readonly string[]
  readonly events: { readonly count: number; readonly hash: string }
}

interface Device {
  readonly figures: DeviceFigures
  readonly delays: number
}

interface Rest {
  readonly durationMs: number
  readonly outagesHeld: number
  readonly faults: readonly string[]
  readonly events: number
  readonly hash: string
}

const DAY = 86_400_000

export function summaryOf(
  scenario: Scenario,
  devices: readonly Device[],
  readings: Account,
  rest: Rest,
): FleetSummary {
  const sum = (of: (figures: DeviceFigures) => number): number =>
    devices.reduce((total, { figures }) => total + of(figures), 0)
  const days = rest.durationMs / DAY
  return {
    scenario: scenario.name,
    seed: scenario.seed,
    devices: devices.length,
    durationMs: rest.durationMs,
    readings,
    lostReadings: lostReadings(readings),
    wakes: sum(({ wakes }) => wakes),
    connections: {
      attempts: sum(({ attempts }) => attempts),
      failed: sum(({ failedAttempts }) => failedAttempts),
    },
    linkDelays: devices.reduce((total, { delays }) => total + delays, 0),
    outages: rest.outagesHeld,
    brownOuts: sum(({ brownOuts }) => brownOuts),
    configurations: { applied: sum(({ applied }) => applied), refused: sum(({ refused }) => refused) },
    bytes: { sent: sum(({ bytesSent }) => bytesSent), received: sum(({ bytesReceived }) => bytesReceived) },
    radioOnMsPerDay: spreadOf(devices.map(({ figures }) => figures.radioOnMs / days)),
    mahPerDay: spreadOf(
      devices.map(({ figures: { mah, seconds } }) => (seconds === 0 ? 0 : (mah * 86_400) / seconds)),
    ),
    faults: rest.faults,
    events: { count: rest.events, hash: rest.hash },
  }
}

/** A summary for a person. */
export function describeSummary(summary: FleetSummary): string {
  const { readings, connections, bytes, radioOnMsPerDay: radio, mahPerDay: charge, configurations } = summary
  const { lost, age } = readings
  const rows: [string, string][] = [
    [
      'readings',
      `${readings.measured} measured, ${readings.received} received, ${readings.kept} kept on their devices, ${summary.lostReadings} lost`,
    ],
    [
      '',
      `${readings.publishes} publishes, ${readings.acknowledged} acknowledged, ${readings.duplicates} duplicates`,
    ],
    [
      'retries',
      `${readings.retries} of readings; ${connections.failed} of ${connections.attempts} connections failed`,
    ],
    [
      'age',
      `half came within ${spoken(age.median)}, 99 of 100 within ${spoken(age.p99)}, all within ${spoken(age.most)}`,
    ],
    ['radio on', `${spoken(radio.mean)} a day and device (${spoken(radio.least)} to ${spoken(radio.most)})`],
    [
      'charge',
      `${figure(charge.mean)} mAh a day and device (${figure(charge.least)} to ${figure(charge.most)})`,
    ],
    [
      'MQTT',
      `${bytes.sent} bytes sent, ${bytes.received} received by the devices; the link held up ${summary.linkDelays} times`,
    ],
    [
      'events',
      `${summary.wakes} wakes, ${summary.outages} outages, ${summary.brownOuts} brown-outs, ${summary.events.count} lines, hash ${summary.events.hash}`,
    ],
  ]
  if (configurations.applied + configurations.refused > 0) {
    rows.push(['configuration', `${configurations.applied} applied, ${configurations.refused} refused`])
  }
  if (summary.lostReadings > 0) {
    rows.push([
      'lost',
      `${lost.acknowledged} though acknowledged, ${lost.outboxFull} of full outboxes, ${lost.power} with the power, ${lost.unexplained} unexplained`,
    ])
  }
  if (readings.strange > 0) rows.push(['strange', `${readings.strange} messages came that nobody measured`])
  for (const fault of summary.faults) rows.push(['fault', fault])
  const title = `${summary.scenario}: ${summary.devices} devices for ${spoken(summary.durationMs)}, seed ${summary.seed}`
  return [title, ...rows.map(([name, text]) => `  ${name.padEnd(14)}${text}`)].join('\n')
}

function spreadOf(values: readonly number[]): Spread {
  let [least, sum, most] = [Number.POSITIVE_INFINITY, 0, 0]
  for (const value of values) {
    least = Math.min(least, value)
    most = Math.max(most, value)
    sum += value
  }
  return { least, mean: sum / values.length, most }
}

function figure(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1)
}
