import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { type Definition, joinProperties, quiet, UsageError } from './command-line.ts'
import { explain } from './faults.ts'
import { leave } from './leave.ts'

interface Row {
  readonly name: string
  readonly summary: string
  /** Loaded when it is asked for: `pipit pub` does not wait for the broker's code. */
  readonly load: () => Promise<{ readonly define: Definition }>
}

const SUBCOMMANDS: readonly Row[] = [
  {
    name: 'up',
    summary: 'start a broker, and with --demo a light and a sensor',
    load: () => import('./up.ts'),
  },
  { name: 'broker', summary: 'start a broker', load: () => import('./broker.ts') },
  {
    name: 'config',
    summary: 'print a mosquitto.conf as YAML',
    load: () => import('./config.ts'),
  },
  {
    name: 'bridge',
    summary: 'an HTTP API before the broker, with a durable queue between',
    load: () => import('./bridge.ts'),
  },
  {
    name: 'store',
    summary: "check, compact, export and import a broker's data folder",
    load: () => import('./store.ts'),
  },
  {
    name: 'passwd',
    summary: 'add users to a password file, list and remove them',
    load: () => import('./passwd.ts'),
  },
  {
    name: 'cert',
    summary: 'make certificates for development',
    load: () => import('./cert.ts'),
  },
  { name: 'acl', summary: 'say what an ACL file allows, and by which line', load: () => import('./acl.ts') },
  { name: 'pub', summary: 'publish messages', load: () => import('./pub.ts') },
  { name: 'sub', summary: 'subscribe and print messages', load: () => import('./sub.ts') },
  { name: 'bench', summary: 'put a load on a broker and measure it', load: () => import('./bench.ts') },
  { name: 'trace', summary: 'send a command and show where its time went', load: () => import('./trace.ts') },
  {
    name: 'device',
    summary: 'run a light, sensors or a fleet; begin a project',
    load: () => import('./device.ts'),
  },
  {
    name: 'collect',
    summary: 'gather mesh neighbours or lightning strokes into SQLite',
    load: () => import('./collect.ts'),
  },
]

/** Runs the command line. Ends the process with 0, or prints one line on stderr and ends with another code.
 *  @param args what follows the program's name */
export async function main(args: readonly string[]): Promise<void> {
  // Whoever read our output has what it wanted: `pipit sub … | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    await program().parseAsync(helpAsOption(args), { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return
    await fail(args, error)
  }
}

function program(): Command {
  const top = quiet(new Command('pipit'))
    .description('MQTT whole: a broker, clients and devices.')
    .version(version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText('after', '\nHelp on one: pipit COMMAND --help. To begin: pipit up --demo')
  for (const row of SUBCOMMANDS) {
    quiet(top.command(row.name))
      .summary(row.summary)
      .argument('[options...]')
      .usage('[options]')
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (rest: string[]) => {
        const command = (await row.load()).define()
        command.name(`pipit ${row.name}`)
        await command.parseAsync(joinProperties(command, rest), { from: 'user' })
      })
  }
  return top
}

/** `pipit` and `pipit help` as `pipit --help`, `pipit help pub` as `pipit pub --help`. */
function helpAsOption(args: readonly string[]): string[] {
  if (args.length === 0) return ['--help']
  return args[0] === 'help' ? [...args.slice(1), '--help'] : [...args]
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

async function fail(args: readonly string[], error: unknown): Promise<never> {
  const known = SUBCOMMANDS.find((row) => row.name === args[0])
  const name = known === undefined ? 'pipit' : `pipit ${known.name}`
  if (error instanceof CommanderError || error instanceof UsageError) {
    // Of `pipit device led --hots` the help of `led` is what helps.
    const parts = (await known?.load())?.define().commands ?? []
    const part = parts.find((each) => each.name() === args[1])
    const help = `${name}${part === undefined ? '' : ` ${part.name()}`} --help`
    process.stderr.write(`${name}: ${oneLine(error.message)} (see ${help})\n`)
    return leave(1)
  }
  const { line, exitCode } = explain(error)
  if (!args.includes('--quiet')) process.stderr.write(`${name}: ${line}\n`)
  if (process.env['PIPIT_STACK'] === '1') console.error(error)
  return leave(exitCode)
}

/** Commander's message without `error:`, with its suggestion in the same line. */
function oneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)/s, '; did you mean $1?')
    .replaceAll(/\s*\n\s*/g, ' ')
}
