import { connect, type Message, type MqttClient } from '@pipit/client'
import { matches, type QoS, reasonCodeName, topicFilterFault } from '@pipit/protocol'
import { type Command, Option } from 'commander'
import { collect, subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import {
  addConnectionOptions,
  type Connection,
  type ConnectionOptions,
  readConnection,
  refusalExitCode,
} from './connection-options.ts'
import { CLIENT_VARIABLES } from './endpoint.ts'
import { CommandError, connectFault } from './faults.ts'
import { compileFormat, type Format, momentNow, payloadOnly, verbose } from './format.ts'
import { leave } from './leave.ts'
import { untilSignal } from './signals.ts'

interface SubOptions extends ConnectionOptions {
  readonly topic?: readonly string[]
  readonly filterOut?: readonly string[]
  readonly unsubscribe?: readonly string[]
  readonly qos: QoS
  readonly verbose?: true
  readonly format?: string
  readonly pretty?: true
  /** `-N` turns it off. */
  readonly eol: boolean
  readonly count?: number
  readonly timeout?: number
  readonly skipRetained?: true
  readonly retainedOnly?: true
  readonly removeRetained?: true
  readonly retainAsPublished?: true
  readonly noLocal?: true
  readonly exitAfterSubscribe?: true
  readonly exitAfterConnect?: true
  readonly randomFilter?: number
}

/** What mosquitto_sub ends with when `-W` ran out. */
const TIMED_OUT = 27

export function define(): Command {
  const command = subcommand('sub', 'Subscribes and prints what comes, with the flags of mosquitto_sub.')
    .option('-t, --topic <filter>', 'what to subscribe to; may be repeated', collect)
    .addOption(new Option('-q, --qos <qos>', '0, 1 or 2').argParser(whole(0, 2)).default(0))
    .option('-v, --verbose', 'print the topic before the message')
    .option('-F, --format <format>', 'how to print a message; see below')
    .option('--pretty', 'with %j and %J in -F: JSON over several lines')
    .option('-N, --no-eol', 'no end of line after each message')
    .option('-C, --count <messages>', 'end after so many messages', whole(1, 2147483647))
    .option(
      '-W, --timeout <seconds>',
      `end after so many seconds, with exit code ${TIMED_OUT}`,
      whole(1, 2_000_000),
    )
    .option('-T, --filter-out <filter>', 'do not print messages of these topics; may be repeated', collect)
    .option('-U, --unsubscribe <filter>', 'unsubscribe from this, after -t; may be repeated', collect)
    .option('-R, --skip-retained', 'do not print retained messages')
    .option('--retained-only', 'print only retained messages, and end at the first other one')
    .option('--remove-retained', 'clear each retained message that comes')
    .option('--retain-as-published', 'keep the retain flag as the publisher set it (MQTT 5.0)')
    .option('--no-local', 'nothing of what this client publishes (MQTT 5.0)')
    .option('--random-filter <percent>', 'print only this share of the messages, by chance', percent)
    .option('-E, --exit-after-subscribe', 'end once the subscriptions are acknowledged; with -c they stay')
    .option('-e, --exit-after-connect', 'end once the connection is accepted')
  addConnectionOptions(command).addHelpText('after', AFTER)
  return withEnvironment(command, CLIENT_VARIABLES).action(sub)
}

const AFTER = `
Format (-F), as in mosquitto_sub(1):
  %t topic   %p payload   %x %X payload in hex   %l its length   %q QoS   %r retained   %m packet identifier
  %j JSON with the payload as text   %J JSON with the payload as JSON   %I local time (ISO 8601)   %U Unix time
  %A topic alias   %C content type   %D correlation data   %E expiry   %F payload format   %P user properties
  %R response topic   %S subscription identifier   %% a percent sign   %-10t %5l %08l %.20t widths
  @Y @m @d @H @M @S … as strftime(3)   @N nanoseconds   @@ an at sign   \\\\ \\0 \\a \\e \\n \\r \\t \\v

Exit code: 0 after -C, -E, -e, --retained-only, SIGINT or SIGTERM; ${TIMED_OUT} when -W ran out; 1 on an error; the
CONNACK code when the broker refused the connection (1 to 5 in MQTT 3, 128 and above in 5.0).

Examples:
  pipit sub -t 'sensors/#' -v
  pipit sub -t sensors/temperature -C 1 -W 5
  pipit sub -t '#' -F '@H:@M:@S %t %j'`

function percent(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 100) return value
  throw new UsageError(`--random-filter is ${JSON.stringify(text)}; it takes a number above 0, to 100`)
}

async function sub(given: SubOptions): Promise<void> {
  const connection = readConnection(given, ['connect', 'subscribe', 'unsubscribe', 'disconnect', 'will'])
  const filters = checkFilters(given, connection)
  const printer = new Printer(given)
  const client = await connect(connection.url, connection.connect).catch((error: unknown) => {
    throw connectFault(error, connection.target, refusalExitCode(connection.version))
  })
  const tell = (line: string) => void (given.debug && process.stderr.write(`${line}\n`))
  tell(`connected to ${connection.target.host}:${connection.target.port} as ${client.clientId}`)
  const unwatch = watch(client, given)
  const ending = endOf(given)
  const work = given.exitAfterConnect
    ? Promise.resolve(0)
    : read(client, filters, given, connection, printer, tell)
  const exitCode = await Promise.race([ending, work])
  // After a signal or a timeout the loop is still waiting for a message; closing ends it.
  work.catch(() => undefined)
  unwatch()
  await client.close({ ...connection.close, timeoutMs: 1_000 })
  await leave(exitCode)
}

function checkFilters(given: SubOptions, connection: Connection): string[] {
  const filters = [...(given.topic ?? []), ...(connection.topic === undefined ? [] : [connection.topic])]
  if (filters.length === 0 && given.unsubscribe === undefined && !given.exitAfterConnect) {
    throw new UsageError('to what? Give a topic or filter with -t')
  }
  const flagged: [string, readonly string[]][] = [
    ['-t', filters],
    ['-T', given.filterOut ?? []],
    ['-U', given.unsubscribe ?? []],
  ]
  for (const [flag, list] of flagged) {
    for (const filter of list) {
      const fault = topicFilterFault(filter)
      if (fault !== undefined) throw new UsageError(`${flag}: ${fault}`)
    }
  }
  if (given.skipRetained && given.retainedOnly)
    throw new UsageError('-R and --retained-only exclude each other')
  return filters
}

/** Says when the connection is lost and back; the client reconnects by itself. */
function watch(client: MqttClient, given: SubOptions): () => void {
  if (given.quiet) return () => undefined
  return client.onDisconnect((error) =>
    process.stderr.write(`pipit sub: ${error.message}; connecting again\n`),
  )
}

/** Settles with the exit code when a signal or `-W` ends the command. */
function endOf(given: SubOptions): Promise<number> {
  const { timeout } = given
  const signalled = untilSignal().then(() => 0)
  if (timeout === undefined) return signalled
  const timedOut = new Promise<number>((resolve) => setTimeout(resolve, timeout * 1000, TIMED_OUT))
  return Promise.race([signalled, timedOut])
}

/** Subscribes and prints until there is a reason to end; gives the exit code. */
async function read(
  client: MqttClient,
  filters: readonly string[],
  given: SubOptions,
  connection: Connection,
  printer: Printer,
  tell: (line: string) => void,
): Promise<number> {
  const { qos, retainAsPublished, noLocal } = given
  const properties = connection.properties.subscribe
  const messages =
    filters.length === 0
      ? undefined
      : await client
          .subscribe(filters, { qos, retainAsPublished, noLocal, properties, ...QUEUE })
          .catch(subscribeFault)
  for (const [filter, code] of messages?.granted ?? []) {
    if (code < 0x80) tell(`subscribed to ${filter}, QoS ${code}`)
    else process.stderr.write(`pipit sub: the broker refused ${filter}: ${reasonCodeName(code, 'SUBACK')}\n`)
  }
  for (const filter of given.unsubscribe ?? []) {
    await client.unsubscribe(filter, { properties: connection.properties.unsubscribe })
    tell(`unsubscribed from ${filter}`)
  }
  if (messages === undefined || given.exitAfterSubscribe) return 0
  for await (const message of messages) {
    if (given.removeRetained && message.retain && !printer.isFilteredOut(message)) {
      await client.publish(message.topic, '', { qos: 1, retain: true })
    }
    if (await printer.take(message)) return 0
  }
  return 0
}

/** Messages of QoS 0 that may wait while the reader of stdout is slow, before the oldest are dropped. */
const QUEUE = { queueLimitMessages: 1_000_000, queueLimitBytes: 268_435_456 }

function subscribeFault(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  throw new CommandError(`the broker refused the subscription: ${message}`)
}

/** Prints the messages that the options let through, and knows when it was the last. */
class Printer {
  private readonly given: SubOptions
  private readonly format: Format
  private printed = 0

  constructor(given: SubOptions) {
    this.given = given
    const onFault = (line: string) => void (given.quiet || process.stderr.write(`${line}\n`))
    const { format, pretty } = given
    if (format !== undefined) this.format = compileFormat(format, { pretty, onFault })
    else this.format = given.verbose ? verbose : payloadOnly
  }

  isFilteredOut({ topic }: Message): boolean {
    return (this.given.filterOut ?? []).some((filter) => matches(filter, topic))
  }

  /** Prints a message, or not; true when the command is to end. Waits while the reader of stdout is slow. */
  async take(message: Message): Promise<boolean> {
    const { given } = this
    if (given.retainedOnly && !message.retain) return true
    if (given.skipRetained && message.retain) return false
    if (this.isFilteredOut(message)) return false
    if (given.randomFilter === undefined || Math.random() * 100 < given.randomFilter)
      await this.print(message)
    return ++this.printed === given.count
  }

  private async print(message: Message): Promise<void> {
    // As mosquitto_sub does: an empty payload alone is no line.
    if (this.format === payloadOnly && message.payload.length === 0) return
    const body = this.format(message, momentNow())
    const line = this.given.eol ? Buffer.concat([body, EOL]) : body
    if (!process.stdout.write(line))
      await new Promise<void>((resolve) => process.stdout.once('drain', resolve))
  }
}

const EOL = Buffer.from('\n')
