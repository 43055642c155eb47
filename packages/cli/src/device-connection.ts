import type { NodeClientOptions } from '@pipit/client'
import { DEFAULT_PREFIX, deviceTopics } from '@pipit/device'
import { type Command, Option } from 'commander'
import { UsageError, whole } from './command-line.ts'
import { VERSIONS } from './connection-options.ts'
import type { Target } from './faults.ts'

/** What a device is told about its connection. */
export interface DeviceConnection {
  readonly host: string
  readonly port: number
  readonly broker?: string
  readonly prefix: string
  readonly id?: string
  readonly username?: string
  readonly pw?: string
  readonly protocolVersion: string
}

export function addDeviceConnection(command: Command): Command {
  return command
    .option('-h, --host <host>', 'the broker', 'localhost')
    .option('-p, --port <port>', 'its port', whole(1, 65535), 1883)
    .option('--broker <url>', 'both in one: mqtt://[user[:password]@]host[:port]')
    .option('--prefix <topic>', 'what its topics begin with', DEFAULT_PREFIX)
    .option('-i, --id <id>', 'client identifier (default: one is made up)')
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password; in PIPIT_PW it stays out of the list of processes')
    .addOption(
      new Option('-V, --protocol-version <version>', 'mqttv5, mqttv311, mqttv31 (or 5, 311, 31), or auto')
        .choices(Object.keys(VERSIONS))
        .default('auto'),
    )
}

/** Where the device connects to, and as whom.
 *  @throws UsageError for a prefix or URL that is none */
export function readDeviceConnection(given: DeviceConnection): {
  target: Target
  options: NodeClientOptions
} {
  checkPrefix(given.prefix)
  const url = given.broker === undefined ? undefined : brokerUrl(given.broker)
  const user = url?.username ? decodeURIComponent(url.username) : given.username
  const password = url?.password ? decodeURIComponent(url.password) : given.pw
  return {
    target: url === undefined ? { host: given.host, port: given.port } : targetOf(url),
    options: {
      clientId: given.id,
      username: user,
      password,
      version: VERSIONS[given.protocolVersion],
    },
  }
}

/** @throws UsageError */
export function brokerUrl(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && url.protocol === 'mqtt:' && url.hostname !== '') return url
  throw new UsageError(`--broker is ${JSON.stringify(text)}; it takes mqtt://[user[:password]@]host[:port]`)
}

export function targetOf(url: URL): Target {
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 1883) }
}

function checkPrefix(prefix: string): void {
  try {
    deviceTopics(prefix)
  } catch (error) {
    throw new UsageError(`--${error instanceof Error ? error.message : String(error)}`)
  }
}
