import { mkdir } from 'node:fs/promises'
import { Broker, type BrokerOptions, ConfiguredListeners, type Durability } from '@pipit/broker'
import { type Command, Option } from 'commander'
import { BrokerProgram, testConfiguration } from './broker-program.ts'
import { collect, subcommand, whole, withEnvironment } from './command-line.ts'
import { ConfigurationSource, isSaid, reload } from './configuration.ts'
import { placesFor, withAccess } from './doors.ts'
import { CommandError } from './faults.ts'
import { leave } from './leave.ts'
import { checkPorts, LOOPBACKS, listenOn } from './listen.ts'
import { LOG_LEVELS, type LogLevel, logger } from './log.ts'
import { untilSignal } from './signals.ts'

/** What `broker` and `up` are told about the broker. */
export interface BrokerCommandOptions {
  readonly port: number
  readonly bind?: readonly string[]
  readonly data: string
  readonly durability: Durability
  readonly durabilityInterval: number
  readonly logLevel: LogLevel
  readonly tls?: string
  readonly insecure?: true
}

export function define(): Command {
  const command = subcommand(
    'broker',
    'Starts a broker, for MQTT 3.1, 3.1.1 and 5.0. SIGINT and SIGTERM end it.',
  )
  addBrokerOptions(command)
    .option(
      '--password-file <file>',
      'users and passwords, by `pipit passwd` or mosquitto_passwd (default: passwords in the data folder, when it is there)',
    )
    .option('--acl-file <file>', "who may do what, in Mosquitto's format or in YAML")
    .option(
      '-c, --config <file>',
      'a configuration file: YAML, or a mosquitto.conf; what is said here or in the environment is stronger',
    )
    .option('--ignore-unsupported', 'go on without what a mosquitto.conf says and is not supported')
    .option('--test-config', 'check the configuration and the files it names, and end: with 0, or with 1')
    .option(
      '--set <key=value>',
      'an option of the configuration file, such as limits.queuedMessages=1000; may be repeated',
      collect,
    )
  return withEnvironment(command).action(broker)
}

export function addBrokerOptions(command: Command): Command {
  return command
    .option('-p, --port <port>', 'the TCP port; 0: any that is free', whole(0, 65535), 1883)
    .option(
      '--bind <address>',
      'listen on this address; may be repeated (default: 127.0.0.1 and ::1)',
      collect,
    )
    .option('--data <folder>', 'the folder for what is to survive a restart', './pipit-data')
    .option(
      '--tls <folder>',
      'the folder of server.crt, server.key and ca.crt, as `pipit cert dev` makes it (default: certs in the data folder, when it is there)',
    )
    .option('--insecure', 'listen on an address beyond this machine without passwords or TLS')
    .addOption(
      new Option(
        '--durability <when>',
        'when a message that has to survive is acknowledged: always, once it is on the disk; interval, at once, ' +
          'with the disk behind it by --durability-interval; off: messages are kept in memory only',
      )
        .choices(['always', 'interval', 'off'])
        .default('always'),
    )
    .option('--durability-interval <ms>', 'for --durability interval: milliseconds', whole(1, 3600000), 1000)
    .addOption(
      new Option('--log-level <level>', 'what is logged on stderr; info: all that clients do, as JSON lines')
        .choices(LOG_LEVELS)
        .default('warn'),
    )
}

/** What the options say about the broker itself. */
export function brokerOptions(given: BrokerCommandOptions): BrokerOptions {
  const { data, durability, durabilityInterval, logLevel, insecure = false } = given
  return { data, insecure, durability, durabilityIntervalMs: durabilityInterval, logger: logger(logLevel) }
}

/** Makes the data folder, and says when that cannot be. */
export async function makeDataFolder(data: string): Promise<void> {
  await mkdir(data, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    const why =
      error.code === 'EEXIST' || error.code === 'ENOTDIR' ? 'there is a file of that name' : error.message
    throw new CommandError(`--data: the folder ${data} cannot be made: ${why}`)
  })
}

async function broker(given: BrokerCommandOptions & { testConfig?: true }, command: Command): Promise<void> {
  const ended = untilSignal()
  const source = new ConfigurationSource(command)
  const { configuration, settings } = await source.read()
  source.settings = settings
  const said = isSaid(command, 'logLevel') ? logger(given.logLevel) : undefined
  const program = new BrokerProgram(configuration.program, said, () => logger(given.logLevel))
  const options = withAccess({ data: './pipit-data', ...configuration.options, logger: program.logger })
  if (given.testConfig === true) {
    await testConfiguration(configuration, options)
    console.log('pipit broker: the configuration is right')
    return leave(0)
  }
  const isNamed = isSaid(command, 'port') || isSaid(command, 'bind') || configuration.listeners === undefined
  const places = placesFor(given.bind ?? LOOPBACKS, given, isSaid(command, 'port'))
  if (isNamed) await checkPorts(places)
  if (configuration.program.persistence) await makeDataFolder(options.data)
  const running = new Broker(program.optionsFor(options))
  await program.open(running)
  const listeners = new ConfiguredListeners(running)
  if (!isNamed) await listeners.apply(configuration.listeners ?? [])
  const { addresses } = isNamed ? await listenOn(running, places) : { addresses: listeners.addresses }
  program.settle(running)
  process.on('SIGHUP', () => void reload(source, running, isNamed ? undefined : listeners, program))
  console.log(`pipit broker: ready on ${addresses.join(' and ')}`)
  await ended
  await program.close(running)
  await leave(0)
}
