import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import type { ApiKey, ApiOptions, BrokerOptions } from '@pipit/bridge'
import type { Command } from 'commander'
import { collect, UsageError, whole } from './command-line.ts'
import { withoutPassword } from './endpoint.ts'
import { CommandError } from './faults.ts'
import { readNamedFile } from './named-file.ts'

/** What every part of the bridge is told. */
export interface SharedGiven {
  readonly data: string
  readonly queue?: string
  readonly database?: string
  readonly hooksInside?: boolean
  readonly broker: string
  readonly username?: string
  readonly pw?: string
  readonly cafile?: string
}

export interface ApiGiven extends SharedGiven {
  readonly port: number
  readonly bind: string
  readonly keys?: string
  readonly jwtSecret?: string
  readonly jwtJwks?: string
  readonly jwtIssuer?: string
  readonly jwtAudience?: string
  readonly rate?: number
  readonly bodyLimit: number
}

export interface WorkerGiven extends SharedGiven {
  readonly listen?: readonly string[]
  readonly window: number
  readonly maxAttempts: number
  readonly keepMessages: number
}

export const BRIDGE_PORT = 8081

/** As `pipit up` calls it: PIPIT_PORT is the broker's. */
export const BRIDGE_VARIABLES = { '--port': 'PIPIT_BRIDGE_PORT' } as const

export function addSharedOptions(command: Command): Command {
  return command
    .option(
      '--data <folder>',
      'the folder in which the queue is, unless --queue says otherwise',
      './pipit-data',
    )
    .option(
      '--queue <where>',
      'the queue: a file (default: bridge/bridge.db in the data folder), or redis://host:6379 of Redis 7 or Valkey; a password goes into PIPIT_QUEUE',
    )
    .option(
      '--database <address>',
      'keep messages and webhooks there: postgres://host:5432/name (default: with the queue); a password goes into PIPIT_DATABASE',
    )
    .option(
      '--hooks-inside',
      'webhooks may reach this machine and private networks (default: no; with "up", when it has neither keys nor JWTs, yes)',
    )
    .option(
      '--broker <url>',
      'mqtt://, mqtts://, ws:// or wss://, with host and port',
      'mqtt://127.0.0.1:1883',
    )
    .option('-u, --username <name>', 'user name for the broker')
    .option(
      '-P, --pw <password>',
      'password for the broker; in PIPIT_PW it stays out of the list of processes',
    )
    .option('--cafile <file>', 'certificates to trust, for mqtts:// and wss://')
}

export function addApiOptions(command: Command): Command {
  return command
    .option('-p, --port <port>', 'the TCP port of the API; 0: any that is free', whole(0, 65535), BRIDGE_PORT)
    .option('--bind <address>', 'listen on this address', '127.0.0.1')
    .option('--keys <file>', 'API keys (JSON), and the topics that each is for')
    .option('--jwt-secret <secret>', 'take JWTs signed with this (HS256); better in PIPIT_JWT_SECRET')
    .option('--jwt-jwks <url>', 'take JWTs signed with a key that is found there')
    .option('--jwt-issuer <name>', 'who has to have issued them')
    .option('--jwt-audience <name>', 'for whom they have to be')
    .option('--rate <requests>', 'requests a second of each caller, in each API process', whole(1, 1_000_000))
    .option('--body-limit <bytes>', 'the largest body', whole(1, 268_435_456), 1_048_576)
}

export function addWorkerOptions(command: Command): Command {
  return command
    .option('--listen <filter>', 'store messages of this filter; may be repeated (default: #)', collect)
    .option('--window <commands>', 'commands in flight at most', whole(1, 65535), 512)
    .option('--max-attempts <attempts>', 'after which a command is set aside', whole(1, 1000), 16)
    .option(
      '--keep-messages <messages>',
      'the oldest go when there are more',
      whole(1, 1_000_000_000),
      1_000_000,
    )
}

export function queueOf({ queue, data }: SharedGiven): string {
  return queue ?? join(data, 'bridge', 'bridge.db')
}

export function brokerOf({ broker, username, pw: password, cafile }: SharedGiven): BrokerOptions {
  if (!URL.canParse(broker)) {
    throw new UsageError(
      `--broker is ${JSON.stringify(withoutPassword(broker))}; it takes a URL such as mqtt://127.0.0.1:1883`,
    )
  }
  const tls = cafile === undefined ? {} : { tls: { ca: readNamedFile('--cafile', cafile) } }
  return { url: broker, client: { username, password, ...tls } }
}

/** Who may use the API.
 *  @throws UsageError when everybody could from elsewhere; CommandError for a file of keys that is not right */
export function apiAccess(given: ApiGiven): Pick<ApiOptions, 'keys' | 'jwt' | 'rate' | 'bodyLimit'> {
  const { bind, jwtSecret: secret, jwtJwks: jwks, jwtIssuer: issuer, jwtAudience: audience } = given
  const keys = given.keys === undefined ? undefined : readKeys(given.keys)
  const jwt = secret === undefined && jwks === undefined ? undefined : { secret, jwks, issuer, audience }
  if (keys === undefined && jwt === undefined && !isLoopback(bind)) {
    throw new UsageError(
      `on ${bind} others could publish and read everything; say with --keys or --jwt-jwks who may, or use --bind 127.0.0.1`,
    )
  }
  const rate = given.rate === undefined ? undefined : { perSecond: given.rate }
  return { keys, jwt, rate, bodyLimit: given.bodyLimit }
}

function readKeys(file: string): ApiKey[] {
  const text = readNamedFile('--keys', file).toString()
  try {
    const keys = JSON.parse(text) as unknown
    if (Array.isArray(keys)) return keys as ApiKey[]
  } catch (error) {
    throw new CommandError(`--keys: ${file}: ${(error as Error).message}`)
  }
  throw new CommandError(
    `--keys: ${file} holds no list; it takes [{"name", "key", "publish", "subscribe"}, …]`,
  )
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** The options that were given to one command and that another knows too, as arguments. */
export function argumentsFor(given: Command, other: Command): string[] {
  const known = new Set(other.options.map((option) => option.attributeName()))
  return given.options.flatMap((option) => {
    const name = option.attributeName()
    const source = given.getOptionValueSource(name)
    // Those of the environment are there for the other as well, and passwords stay out of the list of processes.
    if (!known.has(name) || source !== 'cli' || option.long === undefined) return []
    const value: unknown = given.getOptionValue(name)
    if (option.isBoolean()) return value === true ? [option.long] : []
    return (Array.isArray(value) ? value : [value]).flatMap((each) => [option.long ?? '', String(each)])
  })
}
