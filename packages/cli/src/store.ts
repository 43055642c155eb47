import { createReadStream, createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { checkStore, compactStore, exportStore, importStore } from '@pipit/broker'
import { Command } from 'commander'
import { quiet, subcommand, withEnvironment } from './command-line.ts'
import { CommandError } from './faults.ts'

interface StoreOptions {
  readonly data: string
}

interface FileOptions extends StoreOptions {
  readonly file?: string
}

/** What an action is called with: the folder as an argument is stronger than the option. */
type Arguments<O> = [folder: string | undefined, options: O]

export function define(): Command {
  const command = quiet(new Command('store'))
    .description("Looks after a broker's data folder, while no broker uses it.")
    .helpOption('--help', 'show this help')
    .helpCommand(false)
    .action(() => command.help())
  command.addCommand(
    withData(
      'check',
      'Reads everything, says what is in it, and ends with 1 when something is damaged.',
    ).action(check),
  )
  command.addCommand(
    withData('compact', 'Rewrites the database without the room that deleted records have left.').action(
      compact,
    ),
  )
  command.addCommand(
    withData('export', 'Writes everything as lines of JSON.')
      .option('-f, --file <file>', 'write to this file (default: stdout)')
      .action(exportTo),
  )
  command.addCommand(
    withData('import', 'Makes a data folder of what export has written; it must not hold a store yet.')
      .option('-f, --file <file>', 'read this file (default: stdin)')
      .action(importFrom),
  )
  return command
}

/** A subcommand on one data folder. */
function withData(name: string, description: string): Command {
  const command = subcommand(name, description)
  command.argument('[folder]', 'the data folder (default: that of --data)')
  return withEnvironment(command.option('--data <folder>', 'the data folder', './pipit-data'))
}

function check(...[folder, options]: Arguments<StoreOptions>): void {
  const data = folder ?? options.data
  const report = checkStore(data)
  const { sessions, subscriptions, messages, queued, retained, wills, bytes, faults } = report
  console.log(
    `${data}: ${count(sessions, 'session')}, ${count(subscriptions, 'subscription')}, ${count(messages, 'message')} ` +
      `(${queued} queued or in flight, ${retained} retained), ${count(wills, 'will')}, ${megabytes(bytes)}`,
  )
  if (faults.length > 0) throw new CommandError(`${data} is damaged: ${faults.join('; ')}`)
  console.log('No damage found.')
}

function compact(...[folder, options]: Arguments<StoreOptions>): void {
  const data = folder ?? options.data
  const { before, after } = compactStore(data)
  console.log(`${data}: ${megabytes(before)} before, ${megabytes(after)} now`)
}

async function exportTo(...[folder, { data: named, file }]: Arguments<FileOptions>): Promise<void> {
  const data = folder ?? named
  const progress = new ProgressLine('exported')
  let records = 0
  const lines = exportStore(data, (done, total) => {
    records = total
    progress.show(done, total)
  })
  // Asked for the first line, it opens the folder: what is wrong with that comes before a file is made.
  const first = lines.next()
  const text = function* (): Generator<string> {
    if (first.done !== true) yield `${first.value}\n`
    for (const line of lines) yield `${line}\n`
  }
  const out = file === undefined ? process.stdout : createWriteStream(file)
  await pipeline(Readable.from(text()), out, { end: file !== undefined })
  progress.end(`${count(records, 'record')} exported${file === undefined ? '' : ` to ${file}`}`)
}

async function importFrom(...[folder, { data: named, file }]: Arguments<FileOptions>): Promise<void> {
  const data = folder ?? named
  const progress = new ProgressLine('imported')
  const input = file === undefined ? process.stdin : createReadStream(file)
  const failed = new Promise<never>((_, reject) => input.once('error', reject))
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  const records = await Promise.race([importStore(data, lines, (done) => progress.show(done)), failed])
  progress.end(`${count(records, 'record')} imported into ${data}`)
}

/** Progress on stderr: one line drawn over itself on a terminal, else a line now and then. */
class ProgressLine {
  private readonly what: string
  private readonly terminal = process.stderr.isTTY === true
  private shown = performance.now()

  constructor(what: string) {
    this.what = what
  }

  show(done: number, total?: number): void {
    const now = performance.now()
    if (now - this.shown < (this.terminal ? 100 : 2000)) return
    this.shown = now
    const of =
      total === undefined || total === 0 ? '' : ` of ${total} (${Math.floor((100 * done) / total)} %)`
    process.stderr.write(
      `${this.terminal ? '\r\x1b[K' : ''}${done}${of} records ${this.what}${this.terminal ? '' : '\n'}`,
    )
  }

  end(line: string): void {
    process.stderr.write(`${this.terminal ? '\r\x1b[K' : ''}${line}\n`)
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function megabytes(bytes: number): string {
  return bytes < 1048576 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 1048576).toFixed(1)} MB`
}
