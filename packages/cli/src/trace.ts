import { randomBytes } from 'node:crypto'
import { type Message, type MqttClient, open } from '@pipit/client'
import { TRACE_PROPERTY } from '@pipit/device'
import { machineClock } from '@pipit/device/node'
import { type QoS, topicNameFault } from '@pipit/protocol'
import { type Command, Option } from 'commander'
import { seconds, subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import {
  addConnectionOptions,
  type ConnectionOptions,
  readConnection,
  refusalExitCode,
} from './connection-options.ts'
import { CLIENT_VARIABLES } from './endpoint.ts'
import { connectFault } from './faults.ts'
import { leave } from './leave.ts'
import { type BrokerTimes, type DeviceTimes, type Observed, span, timelineOf } from './trace-times.ts'
import { drawTimeline } from './trace-view.ts'

interface TraceOptions extends ConnectionOptions {
  readonly topic: string
  readonly message: string
  readonly qos: QoS
  readonly traceTopic?: string
  readonly stateTopic?: string
  readonly timeout: number
  readonly json?: true
}

/** What mosquitto_sub ends with when its time is over. */
const TIMED_OUT = 27
const NOT_DONE = 1

export function define(): Command {
  const command = subcommand('trace', 'Sends a command and shows where its time went.')
    .requiredOption('-t, --topic <topic>', 'where to publish, such as sensors/esp32-s3/led/control')
    .requiredOption('-m, --message <text>', 'the command')
    .addOption(new Option('-q, --qos <qos>', '0 or 1').argParser(whole(0, 1)).default(0))
    .option(
      '--trace-topic <topic>',
      'where the device tells its times (default: the last level of -t is trace)',
    )
    .option('--state-topic <topic>', 'where it says its state (default: the last level of -t is state)')
    .option('-W, --timeout <seconds>', 'how long to wait for the device', seconds, 5)
    .option('--json', 'as JSON')
  addConnectionOptions(command).addHelpText('after', AFTER)
  return withEnvironment(command, CLIENT_VARIABLES).action(trace)
}

const AFTER = `
The message goes out with the User Property ${TRACE_PROPERTY} (MQTT 5.0). A Pipit broker with the option trace, as
in pipit up --demo, tells when it received, routed and wrote it; a light of @pipit/device tells when it reached its
callback and when the light had changed. Processes of one machine share a clock; of another machine's only the
time between two of its own readings is told. What nobody told is listed as missing.

Exit code: 0 when the device's state came back, 1 when it refused the command or nobody is subscribed, 27 when
nothing came in time.

Example:
  pipit trace -t sensors/esp32-s3/led/control -m '{"action":"set_color","r":255,"g":0,"b":0,"w":0}'`

async function trace(given: TraceOptions): Promise<void> {
  const connection = readConnection(given, ['connect', 'disconnect', 'will'])
  const topics = topicsOf(given)
  const client = open(connection.url, { ...connection.connect, reconnect: false })
  const version = await versionOf(client).catch((error: unknown) => {
    throw connectFault(error, connection.target, refusalExitCode(connection.version))
  })
  const id = randomBytes(8).toString('hex')
  const observed = await follow(client, version, given, topics, id)
  await client.close(connection.close)
  const timeline = timelineOf(observed)
  const { broker, device } = observed
  if (given.json === true) {
    console.log(
      JSON.stringify({ id, topic: given.topic, qos: given.qos, version, ...timeline, broker, device }),
    )
  } else console.log(`${headline(given, observed)}\n\n${drawTimeline(timeline)}`)
  await leave(exitCodeOf(observed))
}

function exitCodeOf({ broker, device, stateSeen }: Observed): number {
  if (stateSeen !== undefined) return 0
  return broker?.receivers === 0 || device?.refused !== undefined ? NOT_DONE : TIMED_OUT
}

interface Topics {
  readonly broker: string
  readonly device: string
  readonly state: string
  readonly error: string
}

function topicsOf({ topic, traceTopic, stateTopic }: TraceOptions): Omit<Topics, 'broker'> {
  for (const [option, value] of Object.entries({
    '-t': topic,
    '--trace-topic': traceTopic,
    '--state-topic': stateTopic,
  })) {
    const fault = value === undefined ? undefined : topicNameFault(value)
    if (fault !== undefined) throw new UsageError(`${option}: ${fault}`)
  }
  const beside = (level: string): string => topic.replace(/[^/]*$/, level)
  return {
    device: traceTopic ?? beside('trace'),
    state: stateTopic ?? beside('state'),
    error: beside('error'),
  }
}

/** Publishes the command and gathers what is told of it, until the state is back or the time is over. */
async function follow(
  client: MqttClient,
  version: string,
  { topic, message, qos, timeout }: TraceOptions,
  named: Omit<Topics, 'broker'>,
  id: string,
): Promise<Observed> {
  const topics = { ...named, broker: `$SYS/broker/trace/${id}` }
  const clock = machineClock()
  const found: { -readonly [Name in keyof Observed]?: Observed[Name] } = {}
  let finish: () => void = () => undefined
  const finished = new Promise<void>((resolve) => (finish = resolve))
  client.onMessage((received) => {
    take(received, topics, id, clock.now(), found)
    // What the broker tells of the command left it before what the device answered.
    const isRefused = found.device?.refused !== undefined
    if (found.broker?.receivers === 0 || found.stateSeen !== undefined || isRefused) finish()
  })
  const filters = version === '5.0' ? [topics.broker, topics.device, topics.state] : [topics.state]
  await client.subscribe(filters.map((filter) => ({ filter, qos: 0 as const })))
  // Retained states come before the answer to a ping, and are not what the command brings about.
  await client.ping()
  const userProperties = [[TRACE_PROPERTY, id] as const]
  found.called = clock.now()
  const published = client.publish(
    topic,
    message,
    version === '5.0' ? { qos, properties: { userProperties } } : { qos },
  )
  await published
  if (qos > 0) found.acknowledged = clock.now()
  const timer = setTimeout(finish, timeout * 1000)
  await finished
  clearTimeout(timer)
  return { ...found, clock: clock.name, version, called: found.called }
}

/** Keeps what a message tells of the command. */
function take(
  message: Message,
  topics: Topics,
  id: string,
  now: number,
  found: { -readonly [Name in keyof Observed]?: Observed[Name] },
): void {
  if (found.called === undefined) return
  if (message.topic === topics.state && !message.retain) found.stateSeen ??= now
  if (message.topic !== topics.broker && message.topic !== topics.device) return
  const times = timesIn(message)
  if (times?.['id'] !== id) return
  if (message.topic === topics.broker && isNumbers(times, ['received', 'routed', 'written', 'receivers'])) {
    found.broker = times as unknown as BrokerTimes
  }
  if (message.topic === topics.device && isNumbers(times, ['received', 'updated'])) {
    found.device = times as unknown as DeviceTimes
  }
}

function timesIn(message: Message): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = message.json()
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isNumbers(times: Readonly<Record<string, unknown>>, names: readonly string[]): boolean {
  return typeof times['clock'] === 'string' && names.every((name) => typeof times[name] === 'number')
}

/** The version that the first connection has; rejects with what stood in its way. */
function versionOf(client: MqttClient): Promise<string> {
  return new Promise((resolve, reject) => {
    client.onConnect(({ version }) => resolve(version))
    void client.closed.then((error) => reject(error ?? new Error('the client was closed')))
  })
}

function headline({ topic, qos }: TraceOptions, observed: Observed): string {
  const { version, called, stateSeen, device, broker } = observed
  const how = `${topic}, QoS ${qos}, MQTT ${version}`
  if (broker?.receivers === 0) return `${how}: nobody is subscribed`
  if (device?.refused !== undefined) return `${how}: refused: ${device.refused}`
  if (device?.clock === observed.clock)
    return `${how}: ${span(device.updated - called)} from the call to the light`
  if (stateSeen !== undefined)
    return `${how}: ${span(stateSeen - called)} from the call to the state's return`
  return `${how}: no answer in time`
}
