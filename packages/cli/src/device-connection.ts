import type { NodeClientOptions } from '@pipit/client'
import { DEFAULT_PREFIX, deviceTopics } from '@pipit/device'
import { type Command, Option } from 'commander'
import { UsageError, whole } from './command-line.ts'
import { VERSIONS } from './connection-options.ts'
import {
  addTlsOptions,
  PORTS,
  readEndpoint,
  readTls,
  type Scheme,
  secured,
  type TlsGiven,
  withoutPassword,
} from './endpoint.ts'
import type { Target } from './faults.ts'
import { address } from './listen.ts'

/** What a device is told about its connection. */
export interface DeviceConnection extends TlsGiven {
  readonly host: string
  readonly port?: number
  readonly broker?: string
  readonly prefix: string
  readonly id?: string
  readonly username?: string
  readonly pw?: string
  readonly protocolVersion: string
}

export function addDeviceConnection(command: Command): Command {
  const reached = command
    .option('-h, --host <host>', 'the broker', 'localhost')
    .option('-p, --port <port>', 'its port (default: 1883, with TLS 8883)', whole(1, 65535))
    .option('--broker <url>', `both in one: ${URL_FORM}`)
  return addTlsOptions(reached)
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

const URL_FORM =
  'mqtt:// or mqtts://[user[:password]@]host[:port], or ws:// or wss:// with the path of the WebSocket'

/** Where a device connects to, and as whom. */
export interface DeviceEndpoint {
  readonly target: Target
  readonly url: string
  readonly options: NodeClientOptions
}

/** @throws UsageError for a prefix or URL that is none; CommandError for a file that cannot be read */
export function readDeviceConnection(given: DeviceConnection): DeviceEndpoint {
  checkPrefix(given.prefix)
  const { url, target, options } = readBroker(given)
  return {
    url,
    target,
    options: { ...options, clientId: given.id, version: VERSIONS[given.protocolVersion] },
  }
}

/** The broker that options name, and who connects to it.
 *  @throws UsageError, CommandError as `readDeviceConnection` */
export function readBroker(
  given: Pick<DeviceConnection, 'port' | 'broker' | 'username' | 'pw' | keyof TlsGiven> & { host?: string },
  form = URL_FORM,
  schemes?: readonly Scheme[],
): DeviceEndpoint {
  const named = given.broker === undefined ? undefined : readEndpoint('--broker', given.broker, form, schemes)
  const { scheme: said = 'mqtt', path = '' } = named ?? {}
  const tls = readTls(given, said)
  const scheme = tls === undefined ? said : secured(said)
  const host = named?.host ?? given.host ?? 'localhost'
  const port = named?.port ?? given.port ?? PORTS[scheme]
  const isWebSocket = scheme.startsWith('ws')
  return {
    target: { host, port },
    url: `${scheme}://${address(host, port)}${isWebSocket ? path : ''}`,
    options: {
      username: named?.username ?? given.username,
      password: named?.password ?? given.pw,
      ...(tls !== undefined && { tls }),
    },
  }
}

/** @throws UsageError */
export function brokerUrl(text: string): URL {
  const url = URL.parse(text)
  if (url !== null && url.protocol === 'mqtt:' && url.hostname !== '') return url
  throw new UsageError(
    `--broker is ${JSON.stringify(withoutPassword(text))}; it takes mqtt://[user[:password]@]host[:port]`,
  )
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
