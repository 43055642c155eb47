import {
  type ConnectProperties,
  checkTopicName,
  type ProtocolVersion,
  type QoS,
  utf8Length,
  type Will,
  type WillProperties,
} from '@pipit/protocol'
import type { Authenticator } from './authenticator.ts'
import { need, type Parts } from './parts.ts'
import type { QueueOptions } from './publish-queue.ts'
import type { Store } from './store/store.ts'
import type { TelemetryApi } from './telemetry.ts'
import type { Transport } from './transport/stream.ts'

export type Version = '3.1' | '3.1.1' | '5.0' | 'auto'

/** What the server publishes for us when we go without DISCONNECT.
 *  @see MQTT 5.0, 3.1.2.5 */
export interface WillOptions {
  readonly topic: string
  readonly payload: string | Uint8Array
  readonly qos?: QoS
  readonly retain?: boolean
  readonly properties?: WillProperties
}

export interface ReconnectOptions {
  /** The first delay is random in 0 to this; it doubles with each failure. Default 1000. */
  readonly minimumDelayMs?: number
  /** No delay is longer. Default 120000. */
  readonly maximumDelayMs?: number
  /** Failures in a row before giving up; default: none. */
  readonly maximumAttempts?: number
  /** How long to wait after so many failures in a row, milliseconds, instead of full jitter between the two. */
  readonly delayMs?: (failures: number) => number
  /** Says whether to try again after an error. Default: not after refusals that cannot heal (bad credentials,
   *  not authorized, banned, another client with our Client Identifier…). */
  readonly retryOn?: (error: Error) => boolean
}

export interface ClientOptions {
  /** Default: one made here, `pipit-` and 16 random characters; empty: the server's choice (MQTT 5.0). */
  readonly clientId?: string
  /** Default `auto`: 5.0, then 3.1.1 and 3.1 if the server does not speak it. */
  readonly version?: Version
  /** Begin a new session; Clean Session in 3.x. Default true. */
  readonly cleanStart?: boolean
  /** Say that we are a bridge, as Mosquitto does: the high bit of the protocol level. A broker that knows it does
   *  not send us what we publish; one that refuses it is asked again without. Default false. */
  readonly bridge?: boolean
  /** Seconds, 0 to 65535; 0 turns it off. Default 60. The server may set another. */
  readonly keepAlive?: number
  readonly username?: string
  readonly password?: string | Uint8Array
  readonly will?: WillOptions
  /** CONNECT's properties in MQTT 5.0, sent exactly so. Default: a session that outlives a lost connection
   *  by 300 s (none with `reconnect: false`), Receive Maximum 1024, Maximum Packet Size 16 MiB,
   *  Topic Alias Maximum 64. */
  readonly properties?: ConnectProperties
  /** Default: with full jitter, 1 s to 120 s; `false`: a client that connects once. */
  readonly reconnect?: false | ReconnectOptions
  /** Asked for username and password before each attempt, instead of the options of that name. */
  readonly credentials?: (attempt: number) => Credentials | Promise<Credentials>
  /** After a connection that was lost, of several servers try the first one first; default false: the same one. */
  readonly preferFirst?: boolean
  /** Enhanced authentication (MQTT 5.0), such as `scramSha256(…)`. */
  readonly authenticator?: Authenticator
  /** Go where a Server Reference points when a server says 0x9C or 0x9D (MQTT 5.0). Default false. */
  readonly followServerReference?: boolean
  /** Assign Topic Aliases to what is sent, as far as the server takes them (MQTT 5.0). Default true. */
  readonly topicAliases?: boolean
  /** What waits to be sent. */
  readonly queue?: QueueOptions
  /** Keeps QoS 1 and 2 messages and their state over the end of the process: `fileStore(path)`,
   *  `indexedDbStore(name)`. With one, cleanStart is false and the session lasts a week unless told otherwise. */
  readonly store?: Store
  /** A message on which the connection ends this often, in the same way, is not sent again. Default 3. */
  readonly poisonLimit?: number
  /** Failures in a row after which `onAlert` is told, and every time as many again. Default 5. */
  readonly alertAfterFailures?: number
  /** The user's `@opentelemetry/api` module: publish and receive become spans, `traceparent` a User Property. */
  readonly telemetry?: TelemetryApi
  /** What a page's client is to have beyond its core; in Node it has all of it. */
  readonly parts?: readonly Parts[]
  /** From the first SYN to CONNACK; default 30000. */
  readonly connectTimeoutMs?: number
  /** Ends the client, as `close({ force: true })` does. */
  readonly signal?: AbortSignal
  /** Opens the connection instead of what the URL's scheme says. */
  readonly transport?: Transport
}

export interface Credentials {
  readonly username?: string
  readonly password?: string | Uint8Array
}

/** The options with the defaults that they need in place. */
export interface Settings extends Omit<ClientOptions, 'password' | 'will' | 'properties' | 'reconnect'> {
  readonly urls: readonly URL[]
  readonly clientId: string
  /** The user named it. */
  readonly clientIdIsChosen: boolean
  readonly versions: readonly ProtocolVersion[]
  readonly cleanStart: boolean
  readonly keepAlive: number
  readonly password: Uint8Array | undefined
  readonly will: Will | undefined
  readonly properties: ConnectProperties
  readonly reconnect: false | ReconnectSettings
  /** Makes the Topic Aliases of a connection. */
  readonly aliases: Parts['aliases']
  readonly alertAfterFailures: number
  readonly connectTimeoutMs: number
  /** The session's life after a lost connection is our choice, so we end it on `close`. */
  readonly ownsSession: boolean
}

export type ReconnectSettings = Required<Omit<ReconnectOptions, 'delayMs' | 'retryOn'>> &
  Pick<ReconnectOptions, 'delayMs' | 'retryOn'>

/** One server, or several that are tried in turn. */
export type Servers = string | URL | readonly (string | URL)[]

const VERSIONS: Record<Version, readonly ProtocolVersion[]> = {
  '3.1': [3],
  '3.1.1': [4],
  '5.0': [5],
  auto: [5, 4, 3],
}

/** How long a session outlives its connection unless the user says otherwise: what was in flight
 *  when the connection was lost goes on when it is back. Seconds. */
const SESSION_SECONDS = 300
const STORED_SESSION_SECONDS = 604_800
const RECEIVE_MAXIMUM = 1024
const MAXIMUM_PACKET_SIZE = 16_777_216
const TOPIC_ALIAS_MAXIMUM = 64

/** The parts that options take. */
const PART_OF = {
  authenticator: 'authentication',
  followServerReference: 'references',
  poisonLimit: 'quarantine',
  policy: 'policies',
  store: 'durability',
  telemetry: 'telemetry',
  topicAliases: 'aliases',
  topicAliasMaximum: 'aliases',
} as const

/** Checks the options at the door.
 *  @throws TypeError, RangeError naming the option and what it takes */
export function settingsOf(servers: Servers, options: ClientOptions, parts: Parts): Settings {
  const urls = (Array.isArray(servers) ? servers : [servers]).map(parseUrl)
  const [parsed] = urls
  if (parsed === undefined) throw new RangeError('no server was given')
  const versions = VERSIONS[options.version ?? 'auto']
  if (versions === undefined) {
    throw new RangeError(
      `version is ${JSON.stringify(options.version)}; it takes '3.1', '3.1.1', '5.0' or 'auto'`,
    )
  }
  const reconnect = reconnectOf(options.reconnect)
  const properties = options.properties ?? defaultProperties(options, reconnect !== false, parts)
  const wanted: Record<string, unknown> = { ...options, ...options.queue, ...options.properties }
  for (const [option, part] of Object.entries(PART_OF)) {
    const value = wanted[option]
    if (value && value !== 'reject') need(parts, part)
  }
  const clientId = options.clientId ?? makeClientId()
  utf8Length(clientId, 'clientId')
  const username = options.username ?? inUrl(parsed.username)
  const password = options.password ?? inUrl(parsed.password)
  const { store, will } = options
  const cleanStart = options.cleanStart ?? store === undefined
  return {
    ...options,
    urls,
    clientId,
    clientIdIsChosen: options.clientId !== undefined,
    versions,
    cleanStart,
    keepAlive: integer(options.keepAlive ?? 60, 'keepAlive', 0, 65535),
    username,
    password: password === undefined ? undefined : bytesOf(password, 'password'),
    will: will && willOf(will),
    properties,
    aliases: parts.aliases,
    reconnect,
    alertAfterFailures: integer(options.alertAfterFailures ?? 5, 'alertAfterFailures', 1, 1_000_000),
    connectTimeoutMs: integer(options.connectTimeoutMs ?? 30_000, 'connectTimeoutMs', 1, 2_147_483_647),
    ownsSession: cleanStart && reconnect !== false && (options.properties ?? store) === undefined,
  }
}

function defaultProperties(options: ClientOptions, reconnects: boolean, parts: Parts): ConnectProperties {
  const lasts =
    options.store !== undefined ? STORED_SESSION_SECONDS : reconnects ? SESSION_SECONDS : undefined
  return {
    ...(lasts === undefined ? {} : { sessionExpiryInterval: lasts }),
    receiveMaximum: RECEIVE_MAXIMUM,
    maximumPacketSize: MAXIMUM_PACKET_SIZE,
    ...(parts.aliases && { topicAliasMaximum: TOPIC_ALIAS_MAXIMUM }),
  }
}

function inUrl(text: string): string | undefined {
  return text === '' ? undefined : decodeURIComponent(text)
}

function parseUrl(url: string | URL): URL {
  if (url instanceof URL) return url
  if (!URL.canParse(url))
    throw new TypeError(`${JSON.stringify(url)} is no URL; one is mqtt://127.0.0.1:1883`)
  return new URL(url)
}

function reconnectOf(options: ClientOptions['reconnect']): false | ReconnectSettings {
  if (options === false) return false
  const most = Number.MAX_SAFE_INTEGER
  const minimumDelayMs = integer(options?.minimumDelayMs ?? 1000, 'reconnect.minimumDelayMs', 0, most)
  return {
    minimumDelayMs,
    maximumDelayMs: integer(
      options?.maximumDelayMs ?? 120_000,
      'reconnect.maximumDelayMs',
      minimumDelayMs,
      most,
    ),
    maximumAttempts:
      options?.maximumAttempts === undefined || options.maximumAttempts === Number.POSITIVE_INFINITY
        ? Number.POSITIVE_INFINITY
        : integer(options.maximumAttempts, 'reconnect.maximumAttempts', 1, most),
    delayMs: options?.delayMs,
    retryOn: options?.retryOn,
  }
}

function willOf(will: WillOptions): Will {
  checkTopicName(will.topic)
  const payload = bytesOf(will.payload, 'will.payload')
  if (payload.length > 65535)
    throw new RangeError(`will.payload takes ${payload.length} bytes; 65535 is the most`)
  return {
    topic: will.topic,
    payload,
    qos: checkQoS(will.qos ?? 0, 'will.qos'),
    retain: will.retain ?? false,
    properties: will.properties,
  }
}

const encoder = new TextEncoder()

/** A payload as bytes; text as UTF-8. */
export function bytesOf(payload: string | Uint8Array, what: string): Uint8Array {
  if (typeof payload === 'string') return encoder.encode(payload)
  if (payload instanceof Uint8Array) return payload
  throw new TypeError(
    `${what} takes a string or a Uint8Array, not ${payload === null ? 'null' : typeof payload}`,
  )
}

export function checkQoS(qos: number, what: string): QoS {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new RangeError(`${what} is ${qos}; it takes 0, 1 or 2`)
  return qos
}

export function integer(value: number, what: string, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${what} is ${value}; it takes ${least} to ${most}`)
  }
  return value
}

/** 22 characters of 0-9 and a-z: every server takes it, one of 3.1 too. */
function makeClientId(): string {
  const random = crypto.getRandomValues(new Uint8Array(16))
  return `pipit-${Array.from(random, (byte) => (byte % 36).toString(36)).join('')}`
}
