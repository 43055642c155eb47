import {
  describeSummary,
  Fleet,
  type FleetSummary,
  ModelWorld,
  type Scenario,
  spoken,
  VirtualClock,
} from '@pipit/device'
import { type Command, InvalidArgumentError } from 'commander'
import { subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import { type DeviceEndpoint, readBroker } from './device-connection.ts'
import { FleetBroker } from './device-fleet-broker.ts'
import { ScaledClock } from './device-fleet-clock.ts'
import { EventsFile } from './device-fleet-events.ts'
import { watchProgress } from './device-fleet-view.ts'
import { RealWorld } from './device-fleet-world.ts'
import { addTlsOptions, CLIENT_VARIABLES, type TlsGiven } from './endpoint.ts'
import { CommandError } from './faults.ts'
import { leave } from './leave.ts'
import { address } from './listen.ts'
import { untilSignal } from './signals.ts'

interface FleetGiven extends TlsGiven {
  readonly scenario?: string
  readonly count?: number
  readonly seed?: number
  readonly duration?: string
  readonly accelerated?: true
  readonly speed?: number
  readonly broker?: string
  readonly username?: string
  readonly pw?: string
  readonly json?: true
  readonly events?: string
}

/** Virtual time between two looks at whether it is over. */
const STEP_MS = 60_000

export function fleet(): Command {
  const command = subcommand(
    'fleet',
    'Runs many simulated devices from a scenario, and accounts for every reading.',
  )
    .option(
      '--scenario <file>',
      'what happens, in YAML (default: 100 devices for a day, and nothing goes wrong)',
    )
    .option('--count <devices>', 'how many; stronger than the file', whole(1, 100_000))
    .option('--seed <number>', 'of all chance; stronger than the file', whole(0, Number.MAX_SAFE_INTEGER))
    .option('--duration <time>', 'how long, such as 30m or 7d; stronger than the file')
    .option(
      '--accelerated',
      'in virtual time, with a modelled network and broker: the same seed, the same events',
    )
    .option('--speed <times>', 'in real time, but the scenario so many times faster (default: 1)', speed)
    .option(
      '--broker <url>',
      `against this broker: ${URL_FORM} (default: one of its own, which outages kill and start again)`,
    )
  addTlsOptions(command)
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password; in PIPIT_PW it stays out of the list of processes')
    .option('--json', 'print the summary as JSON')
    .option('--events <file>', 'write every event to this file, a line each')
    .addHelpText('after', AFTER)
  return withEnvironment(command, CLIENT_VARIABLES).action(runFleet)
}

const URL_FORM = 'mqtt:// or mqtts://[user[:password]@]host[:port]'

const AFTER = `
Each device sleeps, wakes, measures, connects as its reconnect policy says, publishes at QoS 1, reads its
configuration and keeps what did not get through. The summary says what became of every reading; the exit code is 1
when one was lost. Examples:
  pipit device fleet --accelerated --count 500 --scenario storm.yaml      days in seconds
  pipit device fleet --count 500 --speed 60 --scenario storm.yaml         real TCP, a broker process of its own
  pipit device fleet --broker mqtt://127.0.0.1:1883 --duration 10m --json
Over TCP a lost segment is a delay, and several in a row are the end of the connection: that is what loss does here.`

function speed(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value >= 0.1 && value <= 100_000) return value
  throw new InvalidArgumentError('It takes a number from 0.1 to 100000.')
}

async function runFleet(given: FleetGiven): Promise<void> {
  const interrupted = untilSignal()
  check(given)
  const changes = Object.entries({ count: given.count, seed: given.seed, duration: given.duration })
  // Nobody else waits for the reader of YAML.
  const { readScenario } = await import('./device-fleet-scenario.ts')
  const scenario = await readScenario(
    given.scenario,
    Object.fromEntries(changes.filter(([, value]) => value !== undefined)) as Record<string, string | number>,
  )
  const events = given.events === undefined ? undefined : await EventsFile.open(given.events)
  const onEvent = events === undefined ? undefined : (line: string) => events.add(line)
  const summary = await (given.accelerated ? accelerated : real)(scenario, given, onEvent, interrupted)
  console.log(given.json ? JSON.stringify(summary, undefined, 2) : describeSummary(summary))
  await events?.close()
  const wrong = wrongWith(summary)
  if (wrong !== undefined) throw new CommandError(wrong)
  await leave(0)
}

function check(given: FleetGiven): void {
  const { accelerated, speed, broker } = given
  if (accelerated && speed !== undefined) {
    throw new UsageError('--accelerated and --speed exclude each other: virtual time runs as fast as it can')
  }
  if (accelerated && broker !== undefined) {
    throw new UsageError(
      '--accelerated and --broker exclude each other: in virtual time the broker is a model',
    )
  }
  if (broker !== undefined) foreign(given)
  else if (
    (given.cafile ?? given.cert ?? given.key ?? given.insecure ?? given.username ?? given.pw) !== undefined
  ) {
    throw new UsageError('TLS, a user and a password are for a broker that --broker names')
  }
}

/** A broker that is not the fleet's own. What stands between it and the devices is TCP, and TLS on it. */
function foreign(given: FleetGiven): DeviceEndpoint {
  return readBroker(given, URL_FORM, ['mqtt', 'mqtts'])
}

function wrongWith({ lostReadings, readings, faults }: FleetSummary): string | undefined {
  const parts = [
    ...(lostReadings > 0 ? [`${lostReadings} of ${readings.measured} readings were lost`] : []),
    ...(readings.strange > 0 ? [`${readings.strange} readings came that nobody measured`] : []),
    ...faults,
  ]
  return parts.length === 0 ? undefined : parts.join('; ')
}

type Interrupted = Promise<void>
type OnEvent = ((line: string) => void) | undefined

async function accelerated(
  scenario: Scenario,
  _: FleetGiven,
  onEvent: OnEvent,
  interrupted: Interrupted,
): Promise<FleetSummary> {
  const clock = new VirtualClock()
  const fleet = new Fleet({ scenario, clock, onEvent })
  const world = new ModelWorld(scenario, clock, fleet.filter, fleet.collected)
  void interrupted.then(() => fleet.end())
  const stopWatching = watchProgress(process.stderr, () => fleet.progress())
  let isOver = false
  const running = fleet.run(world).finally(() => {
    isOver = true
  })
  try {
    while (!isOver) await clock.run(clock.now() + STEP_MS, turn)
    return await running
  } finally {
    stopWatching()
  }
}

/** One turn of the event loop: what had settled has gone on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function real(
  scenario: Scenario,
  given: FleetGiven,
  onEvent: OnEvent,
  interrupted: Interrupted,
): Promise<FleetSummary> {
  const { speed = 1, json } = given
  const broker = given.broker === undefined ? await FleetBroker.start() : undefined
  const endpoint = foreign({ broker: `mqtt://127.0.0.1:${broker?.port}`, ...given })
  const { target } = endpoint
  const world = new RealWorld({ scenario, endpoint, speed, ...(broker && { broker }) })
  try {
    const fleet = new Fleet({
      scenario,
      clock: new ScaledClock(speed),
      radioClock: new ScaledClock(1),
      onEvent,
    })
    await world.begin(fleet.filter, fleet.collected)
    if (json !== true)
      console.log(describeBeginning(scenario, speed, address(target.host, target.port), broker !== undefined))
    void interrupted.then(() => fleet.end())
    if (broker !== undefined) broker.onDeath = (message) => fleet.fault(message)
    const stopWatching = watchProgress(process.stderr, () => fleet.progress())
    try {
      return await fleet.run(world)
    } finally {
      stopWatching()
      await world.end()
    }
  } finally {
    await broker?.close()
  }
}

function describeBeginning(
  { count, duration }: Scenario,
  speed: number,
  where: string,
  isOwn: boolean,
): string {
  const pace = speed === 1 ? '' : `, ${speed} times as fast`
  return `fleet: ${count} devices against ${where}${isOwn ? ', a broker of its own' : ''}, for ${spoken(duration)}${pace}`
}
