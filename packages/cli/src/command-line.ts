import { Command, InvalidArgumentError, type Option } from 'commander'

/** A mistake in how a command was called, in one line; exit code 1. */
export class UsageError extends Error {}

/** What a subcommand's file exports as `define`. */
export type Definition = () => Command

/** A subcommand as all of them are: `--help` only (`-h` is the host), errors thrown instead of printed,
 *  and each long option also an environment variable. */
export function subcommand(name: string, description: string): Command {
  return quiet(new Command(name))
    .description(description)
    .helpOption('--help', 'show this help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      '\nEach long option can also be given as an environment variable: --some-option as PIPIT_SOME_OPTION.',
    )
}

/** Errors are thrown, and `run` prints them in one line; help goes to stdout as it is. */
export function quiet(command: Command): Command {
  return command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({
      optionDescription: (option) => describe(option),
    })
}

function describe(option: Option): string {
  const fallback = option.defaultValueDescription ?? option.defaultValue
  if (option.isBoolean() || fallback === undefined || Array.isArray(fallback)) return option.description
  return `${option.description} (default: ${fallback})`
}

/** Lets each option with a long name be given by its environment variable; the command line is stronger.
 *  @param variables of options whose name alone stands for something else in another command: by `--option` */
export function withEnvironment(command: Command, variables: Readonly<Record<string, string>> = {}): Command {
  const others = command.options.flatMap((option) => {
    const variable = variables[option.long ?? '']
    return variable === undefined ? [] : [`${option.long} as ${variable}`]
  })
  if (others.length > 0) command.addHelpText('after', `Here ${others.join(' and ')}.`)
  // Not Commander's own `env()`: it takes any value of a flag's variable for yes, even 0.
  return command.hook('preAction', () => {
    for (const option of command.options) {
      const variable = variables[option.long ?? ''] ?? variableOf(option)
      const text = process.env[variable]
      if (text === undefined || command.getOptionValueSource(option.attributeName()) === 'cli') continue
      command.setOptionValueWithSource(option.attributeName(), valueFrom(option, variable, text), 'env')
    }
  })
}

function valueFrom(option: Option, variable: string, text: string): unknown {
  if (option.isBoolean()) {
    const positive = /^(1|true|yes|on)$/i.test(text)
    if (positive || /^(0|false|no|off|)$/i.test(text)) return positive !== option.negate
    throw new UsageError(`${variable} is ${JSON.stringify(text)}; it takes 1 or 0`)
  }
  try {
    return option.parseArg === undefined ? text : option.parseArg(text, undefined)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new UsageError(`${variable} is ${JSON.stringify(text)}. ${error.message}`)
  }
}

function variableOf(option: Option): string {
  return `PIPIT_${(option.long ?? '').replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`
}

/** Reads an option's value as a whole number within bounds. */
export function whole(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value
    throw new InvalidArgumentError(`It takes a whole number from ${lowest} to ${highest}.`)
  }
}

/** Reads an option's value as seconds, parts of one allowed. */
export function seconds(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value <= 2_000_000) return value
  throw new InvalidArgumentError('It takes a number of seconds.')
}

/** Collects the values of an option that may stand more than once. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

/** Joins the words that follow each `-D` into one JSON value, because their number depends on the second:
 *  user-property takes a name and a value, the others a value. Nothing else in `args` changes. */
export function joinProperties(command: Command, args: readonly string[]): string[] {
  const joined: string[] = []
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    joined.push(arg)
    if (arg === '--') return [...joined, ...args.slice(i + 1)]
    const option = command.options.find((each) => each.short === arg || each.long === arg)
    if (option === undefined || option.isBoolean()) continue
    const count = option.long !== '--property' ? 1 : args[i + 2] === 'user-property' ? 4 : 3
    const values = args.slice(i + 1, i + 1 + count)
    if (option.long !== '--property') joined.push(...values)
    else joined.push(JSON.stringify(values))
    i += count
  }
  return joined
}
