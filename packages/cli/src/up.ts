import { existsSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Broker } from '@pipit/broker'
import { connect } from '@pipit/client'
import { DEFAULT_PREFIX, deviceTopics, runSensor, SimulatedTemperature } from '@pipit/device'
import type { Command } from 'commander'
import pc from 'picocolors'
import { bridgeBeside } from './bridge-beside.ts'
import { addBrokerOptions, type BrokerCommandOptions, brokerOptions, makeDataFolder } from './broker.ts'
import { subcommand, whole, withEnvironment } from './command-line.ts'
import { isSaid } from './configuration.ts'
import { placesFor, withAccess } from './doors.ts'
import type { Target } from './faults.ts'
import { leave } from './leave.ts'
import { connectLight } from './light.ts'
import { address, checkPorts, LOOPBACKS, listenOn } from './listen.ts'
import { untilSignal } from './signals.ts'
import { hasColours, lightView } from './terminal.ts'

interface UpOptions extends BrokerCommandOptions {
  readonly demo?: true
  readonly bridge: boolean
  readonly bridgePort?: number
}

export function define(): Command {
  const command = subcommand(
    'up',
    'Starts everything at once: a broker, the bridge with its HTTP API, and with --demo two devices.',
  )
    .option('--demo', `a light and a temperature sensor, as real clients, on ${DEFAULT_PREFIX}/…`)
    .option(
      '--bridge-port <port>',
      "the port of the bridge's API, on loopback (default: 8081)",
      whole(0, 65535),
    )
    .option('--no-bridge', 'without the bridge')
  return withEnvironment(addBrokerOptions(command)).action(up)
}

async function up(given: UpOptions, command: Command): Promise<void> {
  const ended = untilSignal()
  const hosts = given.bind ?? LOOPBACKS
  const places = placesFor(hosts, given, isSaid(command, 'port'))
  await checkPorts(places)
  await makeDataFolder(given.data)
  // The two devices come in through loopback, which needs no password here.
  const options = { ...brokerOptions(given), trace: given.demo === true }
  const { access } = withAccess({ ...options, data: given.data })
  const broker = new Broker(options)
  await broker.open()
  const { port, addresses } = await listenOn(
    broker,
    places.map((place) => (place.tls === undefined || access === undefined ? place : { ...place, access })),
  )
  console.log(`Pipit is up: a broker on ${addresses.join(' and ')}. Ctrl-C ends it.`)
  const target = { host: reachable(hosts), port }
  let stopDemo: () => Promise<void> = async () => undefined
  let note = (line: string): void => console.log(line)
  if (given.demo) {
    console.log(thingsToTry(target))
    const shown = await demo(target)
    stopDemo = shown.stop
    note = shown.note
  }
  const { bridgePort, data } = given
  const stopBridge = given.bridge
    ? await bridgeBeside({ target, data, port: bridgePort, isAnyPort: given.port === 0, note })
    : async () => undefined
  await ended
  await Promise.all([stopBridge(), stopDemo()])
  await broker.close()
  await leave(0)
}

/** Where a client on this machine finds the broker. */
function reachable(hosts: readonly string[]): string {
  if (hosts === LOOPBACKS || hosts.some((host) => host === '0.0.0.0' || host === '::')) return 'localhost'
  return hosts[0] ?? 'localhost'
}

interface Demo {
  readonly stop: () => Promise<void>
  /** Says a line beside the light. */
  readonly note: (line: string) => void
}

/** Connects the light and the sensor. */
async function demo(target: Target): Promise<Demo> {
  const view = lightView(process.stdout, `${DEFAULT_PREFIX}, a light`)
  const url = `mqtt://${address(target.host, target.port)}`
  const light = await connectLight({ target, url, options: {} }, DEFAULT_PREFIX, view)
  const client = await connect(url)
  const sensor = runSensor(client, new SimulatedTemperature(), {
    onReading: ({ value, unit }) => view.beside(`temperature ${value.toFixed(2)} ${unit}`),
    onFault: (error) => view.note(`temperature: ${error.message}`),
  })
  const stop = async (): Promise<void> => {
    sensor.stop()
    await Promise.all([light.stop(), client.close()])
    view.end()
  }
  return { stop, note: (line) => view.note(line) }
}

function thingsToTry({ host, port }: Target): string {
  const { bold, cyan } = pc.createColors(hasColours(process.stdout))
  const where = `-h ${host}${port === 1883 ? '' : ` -p ${port}`}`
  const { control } = deviceTopics()
  const red = '{"action":"set_color","r":255,"g":0,"b":0,"w":0}'
  return `
${bold('Three things to try, in another terminal:')}

  1. Turn the light red:
     ${cyan(`mosquitto_pub ${where} -t ${control} -m '${red}'`)}

  2. Watch what the device says, as it happens:
     ${cyan(`mosquitto_sub ${where} -t 'sensors/#' -v`)}

  3. Without Mosquitto's clients, and with a rainbow:
     ${cyan(`${howToCall()} pub ${where} -t ${control} -m '{"action":"rainbow"}'`)}
`
}

/** How the person who started this can call `pipit` in another terminal in the same folder. */
function howToCall(): string {
  if (process.env['npm_lifecycle_event'] !== undefined) return 'npx pipit'
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  if (folders.some((folder) => folder !== '' && existsSync(join(folder, 'pipit')))) return 'pipit'
  return `node ${relative(process.cwd(), fileURLToPath(new URL('../bin/pipit.js', import.meta.url)))}`
}
