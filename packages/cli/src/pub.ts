import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { connect, type MqttClient, type PublishOptions } from '@pipit/client'
import { type QoS, topicNameFault } from '@pipit/protocol'
import { type Command, Option } from 'commander'
import { seconds, subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import {
  addConnectionOptions,
  type ConnectionOptions,
  readConnection,
  refusalExitCode,
} from './connection-options.ts'
import { CLIENT_VARIABLES } from './endpoint.ts'
import { CommandError, connectFault } from './faults.ts'
import { lines } from './lines.ts'
import { Window } from './window.ts'

interface PubOptions extends ConnectionOptions {
  readonly topic?: string
  readonly message?: string
  readonly file?: string
  readonly stdinFile?: true
  readonly stdinLine?: true
  readonly nullMessage?: true
  readonly qos: QoS
  readonly retain?: true
  readonly repeat: number
  readonly repeatDelay: number
  readonly inflight: number
}

export function define(): Command {
  const command = subcommand(
    'pub',
    'Publishes a message, or one for each line of stdin, with the flags of mosquitto_pub.',
  )
    .option('-t, --topic <topic>', 'where to publish')
    .option('-m, --message <text>', 'send this')
    .option('-n, --null-message', 'send an empty message')
    .option('-f, --file <path>', 'send what is in a file')
    .option('-s, --stdin-file', 'send all of stdin as one message')
    .option('-l, --stdin-line', 'send each line of stdin as a message, as it comes')
    .addOption(new Option('-q, --qos <qos>', '0, 1 or 2').argParser(whole(0, 2)).default(0))
    .option('-r, --retain', 'the broker keeps the message for those who subscribe later')
    .option('--repeat <times>', 'send the message so many times', whole(1, 4294967295), 1)
    .option('--repeat-delay <seconds>', 'wait so long between them', seconds, 0)
    .option(
      '-M, --inflight <count>',
      'with -l: how many may wait for their acknowledgement',
      whole(1, 65535),
      20,
    )
  addConnectionOptions(command).addHelpText('after', AFTER)
  return withEnvironment(command, CLIENT_VARIABLES).action(pub)
}

const AFTER = `
Exit code: 0 when the message was sent (QoS 0) or acknowledged; 1 on an error; the CONNACK code when the
broker refused the connection (1 to 5 in MQTT 3, 128 and above in 5.0).

Examples:
  pipit pub -t sensors/temperature -m 21.5 -q 1
  pipit pub -t config -f config.json -r
  tail -f log | pipit pub -h broker.lan -t log -l`

async function pub(given: PubOptions): Promise<void> {
  const connection = readConnection(given, ['connect', 'publish', 'disconnect', 'will'])
  const topic = given.topic ?? connection.topic
  if (topic === undefined) throw new UsageError('where to? Give the topic with -t')
  const fault = topicNameFault(topic)
  if (fault !== undefined) throw new UsageError(`-t: ${fault}`)
  const payloads = await choosePayloads(given)
  const say = given.debug ? (line: string) => void process.stderr.write(`${line}\n`) : () => undefined
  const client = await connect(connection.url, { ...connection.connect, reconnect: false }).catch(
    (error: unknown) => {
      throw connectFault(error, connection.target, refusalExitCode(connection.version))
    },
  )
  say(`connected to ${connection.target.host}:${connection.target.port} as ${client.clientId}`)
  const { qos, retain } = given
  const { publish: properties, any } = connection.properties
  const options: PublishOptions = { qos, retain: retain === true, properties: any ? properties : undefined }
  try {
    await publishAll(client, topic, payloads, options, given, say)
  } finally {
    await client.close(connection.close)
  }
}

type Payloads = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** What is sent, checked and read as far as it can be before there is a connection. */
async function choosePayloads(given: PubOptions): Promise<Payloads> {
  const kinds = [given.message, given.file, given.stdinFile, given.stdinLine, given.nullMessage]
  const count = kinds.filter((kind) => kind !== undefined).length
  if (count !== 1) {
    throw new UsageError(`${count === 0 ? 'send what? Give' : 'give only'} one of -m, -n, -f, -s and -l`)
  }
  if (given.stdinLine) {
    if (given.repeat > 1) throw new UsageError('--repeat is for one message, not for -l')
    return lines(process.stdin)
  }
  const payload = await onePayload(given)
  return Array.from({ length: given.repeat }, () => payload)
}

async function onePayload({ message, file, nullMessage }: PubOptions): Promise<Uint8Array> {
  if (nullMessage) return new Uint8Array(0)
  if (message !== undefined) return new TextEncoder().encode(message)
  if (file === undefined) return buffer(process.stdin)
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    const why = FILE_FAULTS[error.code ?? ''] ?? error.message
    throw new CommandError(`-f: ${file} ${why}`)
  })
}

const FILE_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a folder',
}

/** Publishes in order. At QoS 1 and 2 the next one does not wait for the last one's acknowledgement, but no
 *  more than `-M` are under way: a fast input is read no faster than the broker takes it. The default is
 *  mosquitto_pub's: in MQTT 3, which has no Receive Maximum, Mosquitto 2.0.11 stalls a QoS 2 subscriber when its
 *  publisher has more than 20 in flight. */
async function publishAll(
  client: MqttClient,
  topic: string,
  payloads: Payloads,
  options: PublishOptions,
  { repeatDelay, inflight }: PubOptions,
  say: (line: string) => void,
): Promise<void> {
  const window = new Window(repeatDelay > 0 ? 1 : inflight)
  let sent = 0
  for await (const payload of payloads) {
    if (sent++ > 0 && repeatDelay > 0) {
      await window.empty()
      await wait(repeatDelay * 1000)
    }
    await window.add(
      client
        .publish(topic, payload, options)
        .then(() => say(`published ${payload.length} bytes on ${topic}`)),
    )
  }
  await window.empty()
}
