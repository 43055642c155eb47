import { connect, type MqttClient } from '@pipit/client'
import {
  announce,
  climateSensors,
  type Reading,
  runSensor,
  type Sensor,
  SimulatedMotion,
  seeded,
  simulatedBattery,
  simulatedClimate,
  statusWill,
  traitsOf,
} from '@pipit/device'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { collect, seconds, subcommand, UsageError, withEnvironment } from './command-line.ts'
import { addDeviceConnection, type DeviceConnection, readDeviceConnection } from './device-connection.ts'
import { fileSensor, readingsOf } from './device-sensor-sources.ts'
import { CLIENT_VARIABLES } from './endpoint.ts'
import { connectFault } from './faults.ts'
import { leave } from './leave.ts'
import { lines } from './lines.ts'
import { address } from './listen.ts'
import { untilSignal } from './signals.ts'

interface SensorGiven extends DeviceConnection {
  readonly measure?: readonly string[]
  readonly file?: readonly string[]
  readonly scale: number
  readonly stdin?: true
  readonly interval: number
  readonly hysteresis?: number
  readonly atLeastEvery?: number
  readonly discovery?: true
  readonly discoveryPrefix: string
  readonly name?: string
}

const SIMULATED = ['temperature', 'humidity', 'motion', 'battery'] as const

export function sensor(): Command {
  const command = subcommand(
    'sensor',
    'Sensors that publish their readings: simulated ones, files, or what a program prints.',
  )
  addDeviceConnection(command)
    .option(
      '--measure <quantity>',
      `simulate this: ${SIMULATED.join(', ')}; may be repeated (default: temperature and humidity)`,
      collect,
    )
    .option('--file <quantity=path>', 'read this file at each reading; may be repeated', collect)
    .addOption(
      new Option('--scale <factor>', 'what the number in a file is multiplied with')
        .argParser(positive)
        .default(1),
    )
    .option('--stdin', 'publish what comes on stdin: a JSON object of quantities in each line; ends with it')
    .option('--interval <seconds>', 'between readings', seconds, 5)
    .option('--hysteresis <difference>', 'publish only what differs from the last by so much', positive)
    .option(
      '--at-least-every <seconds>',
      'with --hysteresis: publish after that time though nothing has changed',
      seconds,
    )
    .option('--discovery', 'announce the sensors to Home Assistant')
    .option('--discovery-prefix <topic>', "Home Assistant's", 'homeassistant')
    .option('--name <name>', 'of the device in Home Assistant (default: the prefix)')
    .addHelpText('after', AFTER)
  return withEnvironment(command, CLIENT_VARIABLES).action(runSensors)
}

const AFTER = `
It publishes each reading retained on PREFIX/QUANTITY, as {"temperature":21.37,"unit":"°C"}, and says online or
offline on PREFIX/status (retained). Examples:
  pipit device sensor --measure temperature --interval 2
  pipit device sensor --file temperature=/sys/class/thermal/thermal_zone0/temp --scale 0.001 --discovery
  echo '{"temperature":21.4,"humidity":40}' | pipit device sensor --stdin`

function positive(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?(e-?\d+)?$/.test(text) && value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('It takes a number above 0.')
}

async function runSensors(given: SensorGiven): Promise<void> {
  const ended = untilSignal()
  check(given)
  const { target, url, options } = readDeviceConnection(given)
  const sensors = given.stdin ? [] : sensorsOf(given)
  const where = address(target.host, target.port)
  const client = await connect(url, {
    ...options,
    will: statusWill(given.prefix),
    reconnect: { minimumDelayMs: 100, maximumDelayMs: 5_000 },
  }).catch((error: unknown) => {
    throw connectFault(error, target)
  })
  let stopping = false
  client.onDisconnect((error) => {
    if (!stopping) note(`connection to ${where} lost (${error.message}); connecting again`)
  })
  client.onConnect(() => note(`connected to ${where} again`))
  const sayStatus = (status: string): Promise<unknown> =>
    client
      .publish(`${given.prefix}/status`, status, { qos: 1, retain: true, timeoutMs: 5000 })
      .catch(() => {})
  client.onConnect(() => void sayStatus('online'))
  await sayStatus('online')
  note(`connected to ${where}`)
  const stop = given.stdin ? undefined : await begin(client, given, sensors)
  await (given.stdin ? Promise.race([ended, publishLines(client, given)]) : ended)
  stopping = true
  stop?.()
  await sayStatus('offline')
  await client.close()
  await leave(0)
}

function check({ stdin, measure, file, discovery, hysteresis, atLeastEvery, interval }: SensorGiven): void {
  if (stdin && (measure !== undefined || file !== undefined || discovery)) {
    throw new UsageError(
      '--stdin stands alone: what comes there is not known before, so nothing is simulated or announced',
    )
  }
  if (atLeastEvery !== undefined && hysteresis === undefined) {
    throw new UsageError('--at-least-every needs --hysteresis; without it every reading is published')
  }
  if (interval < 0.01) throw new UsageError('--interval is too short; it takes 0.01 seconds or more')
}

/** The sensors that the options ask for.
 *  @throws UsageError naming the option that is wrong */
function sensorsOf({ measure, file = [], scale }: SensorGiven): Sensor[] {
  const wanted = measure ?? (file.length > 0 ? [] : ['temperature', 'humidity'])
  const climate = climateSensors(simulatedClimate())
  const simulated = (quantity: string): Sensor => {
    switch (quantity) {
      case 'temperature':
      case 'humidity':
        return climate[quantity]
      case 'motion':
        return new SimulatedMotion(seeded(Date.now(), 'motion'))
      case 'battery':
        return simulatedBattery()
      default:
        throw new UsageError(`--measure is ${JSON.stringify(quantity)}; it takes ${SIMULATED.join(', ')}`)
    }
  }
  const sensors = [...wanted.map(simulated), ...file.map((each) => fileSensor(each, scale))]
  const names = sensors.map(({ quantity }) => quantity)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`${twice} is measured twice; each quantity has one topic`)
  return sensors
}

/** Runs the sensors, and announces them when that is asked for. @returns what stops them */
async function begin(
  client: MqttClient,
  given: SensorGiven,
  sensors: readonly Sensor[],
): Promise<() => void> {
  const { prefix, hysteresis, atLeastEvery } = given
  const onFault = (error: Error): void => note(error.message)
  const report =
    hysteresis === undefined
      ? undefined
      : { hysteresis, ...(atLeastEvery === undefined ? {} : { maximumIntervalMs: atLeastEvery * 1000 }) }
  const announced = given.discovery
    ? await announce(client, descriptionOf(given, sensors), {
        discoveryPrefix: given.discoveryPrefix,
        onFault,
      })
    : undefined
  const running = sensors.map((each) =>
    runSensor(client, each, {
      prefix,
      everyMs: given.interval * 1000,
      report,
      onReading: (reading) => note(described(each, reading)),
      onFault,
    }),
  )
  return () => {
    announced?.stop()
    for (const each of running) each.stop()
  }
}

function descriptionOf({ prefix, name }: SensorGiven, sensors: readonly Sensor[]) {
  return { id: prefix.replaceAll(/[^A-Za-z0-9_-]+/g, '_'), name: name ?? prefix, prefix, sensors }
}

function described(sensor: Sensor, { value, unit }: Reading): string {
  const said =
    traitsOf(sensor).kind === 'binary' ? (value === 0 ? 'no' : 'yes') : `${value}${unit && ` ${unit}`}`
  return `${sensor.quantity} ${said}`
}

/** Publishes each line's readings at QoS 1, until stdin ends and the broker has all. */
async function publishLines(client: MqttClient, { prefix }: SensorGiven): Promise<void> {
  let number = 0
  for await (const line of lines(process.stdin)) {
    number++
    const readings = readingsOf(Buffer.from(line).toString('utf8'), number)
    if (readings instanceof Error) {
      note(readings.message)
      continue
    }
    await Promise.all(
      readings.map(async ({ quantity, payload, shown }) => {
        note(shown)
        await client.publish(`${prefix}/${quantity}`, payload, { qos: 1, retain: true })
      }),
    )
  }
}

function note(text: string): void {
  process.stdout.write(`sensor: ${text}\n`)
}
