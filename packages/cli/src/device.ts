import { DEFAULT_PREFIX, deviceTopics } from '@pipit/device'
import { type Command, Option } from 'commander'
import { quiet, subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import { VERSIONS } from './connection-options.ts'
import { leave } from './leave.ts'
import { connectLight } from './light.ts'
import { address } from './listen.ts'
import { untilSignal } from './signals.ts'
import { lightView } from './terminal.ts'

interface LedOptions {
  readonly host: string
  readonly port: number
  readonly prefix: string
  readonly id?: string
  readonly username?: string
  readonly pw?: string
  readonly protocolVersion: string
}

export function define(): Command {
  const command = subcommand('device', 'Runs a device, here and now, against any broker.').usage(
    'led [options]',
  )
  command.addCommand(quiet(led()))
  return command
    .helpCommand(false)
    .argument('[device]')
    .action((name: string | undefined) => {
      throw new UsageError(
        `${name === undefined ? 'which device?' : `no device is called ${name};`} there is: led`,
      )
    })
}

function led(): Command {
  const command = subcommand('led', 'An RGBW light in the terminal, as an ESP32 would have it.')
    .option('-h, --host <host>', 'the broker', 'localhost')
    .option('-p, --port <port>', 'its port', whole(1, 65535), 1883)
    .option('--prefix <topic>', 'what its topics begin with', DEFAULT_PREFIX)
    .option('-i, --id <id>', 'client identifier (default: one is made up)')
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password; in PIPIT_PW it stays out of the list of processes')
    .addOption(
      new Option('-V, --protocol-version <version>', 'mqttv5, mqttv311, mqttv31 (or 5, 311, 31), or auto')
        .choices(Object.keys(VERSIONS))
        .default('auto'),
    )
    .addHelpText('after', AFTER)
  return withEnvironment(command).action(runLed)
}

const AFTER = `
It obeys PREFIX/led/control, and says what it is on PREFIX/led/state (retained), what was wrong with a command
on PREFIX/led/error, and online or offline on PREFIX/status (retained). Commands:
  {"action":"set_color","r":255,"g":0,"b":0,"w":0}      each 0 to 255, all four
  {"action":"on"}  {"action":"off"}
  {"action":"set_brightness","brightness":128}          0 to 255
  {"action":"blink"}  {"action":"rainbow"}              "duration_ms": 100 to 600000, optional
  {"action":"fade"}                                     breathes; with r, g, b and w it goes to that colour`

async function runLed(given: LedOptions): Promise<void> {
  const ended = untilSignal()
  checkPrefix(given.prefix)
  const { host, port, prefix } = given
  const view = lightView(process.stdout, prefix)
  try {
    const light = await connectLight({ host, port }, prefix, view, {
      clientId: given.id,
      username: given.username,
      password: given.pw,
      version: VERSIONS[given.protocolVersion],
    })
    view.note(`light: connected to ${address(host, port)}; tell it on ${deviceTopics(prefix).control}`)
    await Promise.race([ended, light.light.done])
    await light.stop()
  } finally {
    view.end()
  }
  await leave(0)
}

export function checkPrefix(prefix: string): void {
  try {
    deviceTopics(prefix)
  } catch (error) {
    throw new UsageError(`--${error instanceof Error ? error.message : String(error)}`)
  }
}
