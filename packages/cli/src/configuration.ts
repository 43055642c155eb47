import { readFile } from 'node:fs/promises'
import {
  type Broker,
  type Configuration,
  ConfigurationError,
  type ConfiguredListeners,
  changesBetween,
  configurationOf,
  merged,
  type Settings,
  settingsFromEnvironment,
  settingsFromText,
  settingsFromYaml,
} from '@pipit/broker'
import type { Command } from 'commander'
import type { BrokerProgram } from './broker-program.ts'
import { UsageError } from './command-line.ts'
import { unsupportedError } from './config.ts'
import { withAccess } from './doors.ts'
import { CommandError } from './faults.ts'
import { isMosquitto, readMosquitto, yamlOf } from './mosquitto-file.ts'
import { fileFault } from './named-file.ts'

/** Options of the command that are keys of the file too, and their keys. */
const KEYS = [
  ['data', 'data'],
  ['durability', 'durability'],
  ['durabilityInterval', 'durabilityIntervalMs'],
  ['passwordFile', 'access.passwordFile'],
  ['aclFile', 'access.aclFile'],
  ['insecure', 'insecure'],
] as const

/** Where a broker's configuration is read from, once and again: options over environment over file. */
export class ConfigurationSource {
  private readonly file: string | undefined
  private readonly ignoresUnsupported: boolean
  private readonly stronger: Settings
  /** What was read last. */
  settings: Settings = new Map()

  /** @throws CommandError naming the option or variable that is wrong */
  constructor(command: Command) {
    const {
      config,
      set = [],
      ignoreUnsupported,
      ...given
    } = command.opts<
      Record<string, unknown> & { config?: string; set?: string[]; ignoreUnsupported?: true }
    >()
    this.file = config
    this.ignoresUnsupported = ignoreUnsupported === true
    const said = KEYS.filter(([name]) => isSaid(command, name))
    const options = said.map(([name, key]) => [key, String(given[name])] as const)
    this.stronger = explained(() =>
      merged(
        settingsFromEnvironment(process.env),
        settingsFromText(options, 'the command line'),
        settingsFromText(set.map(pairOf), '--set'),
      ),
    )
  }

  /** Reads the file.
   *  @throws CommandError with a line for each fault; what was read last stays */
  async read(): Promise<{ readonly configuration: Configuration; readonly settings: Settings }> {
    const text = this.file === undefined ? '' : await contentsOf(this.file)
    return explained(() => {
      const file = this.file === undefined ? new Map() : this.settingsOf(text, this.file)
      const settings = merged(file, this.stronger)
      return { configuration: configurationOf(settings), settings }
    })
  }

  /** What a file says, in our own words or in Mosquitto's. */
  private settingsOf(text: string, file: string): Settings {
    if (!isMosquitto(file, text)) return settingsFromYaml(text, file)
    const read = readMosquitto(file, text)
    const { unsupported, warnings } = read
    if (unsupported.length > 0 && !this.ignoresUnsupported) throw unsupportedError('broker', unsupported)
    for (const line of [...unsupported, ...warnings]) process.stderr.write(`pipit broker: warning: ${line}\n`)
    return settingsFromYaml(yamlOf(read), `${file} as YAML`)
  }
}

/** Reads the configuration again and takes what can be taken now; says what was, and what needs a restart.
 *  A configuration that is wrong changes nothing.
 *  @param listeners undefined when the command line names the addresses */
export async function reload(
  source: ConfigurationSource,
  broker: Broker,
  listeners: ConfiguredListeners | undefined,
  program: BrokerProgram,
): Promise<void> {
  try {
    const { configuration, settings } = await source.read()
    const { taken, left } = changesBetween(source.settings, settings)
    source.settings = settings
    const data = broker.options.data ?? './pipit-data'
    broker.reconfigure(withAccess({ ...configuration.options, data }))
    program.reconfigure(configuration.program)
    broker.audit?.administered('configuration', { taken, left })
    if (listeners !== undefined && configuration.listeners !== undefined) {
      await listeners.apply(configuration.listeners)
    }
    // The log has a line for each fault.
    const faults = await broker.reload()
    const parts = [
      ...(faults.length > 0 ? [`${faults.length} faults in files, which stay as they were`] : []),
      `taken: ${taken.join(', ') || 'no change'}`,
      ...(left.length > 0 ? [`only after a restart: ${left.join(', ')}`] : []),
    ]
    console.log(`pipit broker: configuration read again; ${parts.join('; ')}`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(`pipit broker: the new configuration is not taken: ${why}\n`)
  }
}

/** Says whether an option was given, on the command line or in the environment. */
export function isSaid(command: Command, name: string): boolean {
  const source = command.getOptionValueSource(name)
  return source === 'cli' || source === 'env'
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new UsageError(`--set ${text}: it takes KEY=VALUE, such as limits.queuedMessages=1000`)
  return [text.slice(0, at), text.slice(at + 1)]
}

async function contentsOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(`--config ${file}: ${fileFault(error)}`)
  })
}

/** A fault of the configuration as one that the command prints as it stands. */
function explained<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CommandError(error.faults.join('\npipit broker: '))
    throw error
  }
}
