import { readFile } from 'node:fs/promises'
import { ConfigurationError } from '@pipit/broker'
import { Command } from 'commander'
import { quiet, subcommand } from './command-line.ts'
import { CommandError } from './faults.ts'
import { readMosquitto, yamlOf } from './mosquitto-file.ts'
import { fileFault } from './named-file.ts'

export function define(): Command {
  const command = quiet(new Command('config'))
    .description('Says in our own words what the configuration of another broker says.')
    .helpOption('--help', 'show this help')
    .helpCommand(false)
    .action(() => command.help())
  command.addCommand(
    subcommand('from-mosquitto', 'Prints a mosquitto.conf as YAML, for `pipit broker --config`.')
      .argument('<file>', 'the mosquitto.conf')
      .option('--ignore-unsupported', 'leave out what is not supported, and name it on stderr')
      .action(print),
  )
  return command
}

async function print(path: string, { ignoreUnsupported }: { ignoreUnsupported?: true }): Promise<void> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new CommandError(`${path}: ${fileFault(error)}`)
  })
  const read = explained(() => readMosquitto(path, text))
  const { unsupported, warnings } = read
  if (unsupported.length > 0 && ignoreUnsupported !== true) throw unsupportedError('config', unsupported)
  for (const line of [...unsupported, ...warnings]) process.stderr.write(`pipit config: ${line}\n`)
  process.stdout.write(yamlOf(read))
}

/** What is not supported, as an error that says how to go on. */
export function unsupportedError(command: string, unsupported: readonly string[]): CommandError {
  const help = 'to go on without: --ignore-unsupported'
  return new CommandError([...unsupported, help].join(`\npipit ${command}: `))
}

function explained<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof ConfigurationError) throw new CommandError(error.faults.join('\npipit config: '))
    throw error
  }
}
