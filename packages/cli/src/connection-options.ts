import type { CloseOptions, NodeClientOptions, Version } from '@pipit/client'
import { type QoS, returnCodeFor } from '@pipit/protocol'
import { type Command, Option } from 'commander'
import { UsageError, whole } from './command-line.ts'
import { addTlsOptions, PORTS, readEndpoint, readTls, secured, type TlsGiven } from './endpoint.ts'
import type { Target } from './faults.ts'
import { type GivenProperties, type PropertyPacket, readProperties } from './properties.ts'

/** What `pub` and `sub` are told about the connection. */
export interface ConnectionOptions extends TlsGiven {
  readonly host: string
  readonly port?: number
  readonly url?: string
  readonly id?: string
  readonly idPrefix?: string
  readonly username?: string
  readonly pw?: string
  readonly protocolVersion: string
  readonly keepalive: number
  readonly disableCleanSession?: true
  readonly sessionExpiryInterval?: number
  readonly willTopic?: string
  readonly willPayload?: string
  readonly willQos?: QoS
  readonly willRetain?: true
  readonly property?: readonly string[]
  readonly debug?: true
  readonly quiet?: true
}

export const VERSIONS: Readonly<Record<string, Version>> = {
  mqttv31: '3.1',
  31: '3.1',
  mqttv311: '3.1.1',
  311: '3.1.1',
  mqttv5: '5.0',
  5: '5.0',
  auto: 'auto',
}

/** Adds the options that mosquitto_pub and mosquitto_sub share. */
export function addConnectionOptions(command: Command): Command {
  const reached = command
    .option('-h, --host <host>', 'the broker', 'localhost')
    .option('-p, --port <port>', 'its port (default: 1883, with TLS 8883)', whole(1, 65535))
    .option(
      '-L, --url <url>',
      'all in one: mqtt:// or mqtts://[user[:password]@]host[:port]/topic, or ws:// or wss:// with the path of the WebSocket',
    )
  return addTlsOptions(reached)
    .option('-i, --id <id>', 'client identifier (default: one is made up)')
    .option('-I, --id-prefix <prefix>', 'client identifier: this and the process id')
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password; in PIPIT_PW it stays out of the list of processes')
    .addOption(
      new Option(
        '-V, --protocol-version <version>',
        'mqttv5, mqttv311, mqttv31 (or 5, 311, 31), or auto: 5.0, and 3.1.1 when the broker does not know it',
      )
        .choices(Object.keys(VERSIONS))
        .default('auto'),
    )
    .option('-k, --keepalive <seconds>', 'keep alive', whole(0, 65535), 60)
    .option('-c, --disable-clean-session', 'keep the session, with its subscriptions and messages; needs -i')
    .option(
      '-x, --session-expiry-interval <seconds>',
      'how long the broker keeps the session (MQTT 5.0); -1: for ever',
      expiry,
    )
    .option('--will-topic <topic>', 'where the broker publishes the will when this client is lost')
    .option('--will-payload <text>', 'what it says (default: nothing)')
    .addOption(new Option('--will-qos <qos>', 'its QoS (default: 0)').argParser(whole(0, 2)))
    .option('--will-retain', 'the will is retained')
    .option(
      '-D, --property <packet name value...>',
      'an MQTT 5.0 property, such as: -D connect receive-maximum 10; user-property takes a name and a value',
    )
    .option('-d, --debug', 'say on stderr what is sent and received')
    .option('--quiet', 'say nothing on stderr when something fails; the exit code still does')
}

function expiry(text: string): number {
  if (text === '-1' || text === '∞') return 4294967295
  return whole(0, 4294967295)(text)
}

/** What the options say, as the client takes it. */
export interface Connection {
  readonly target: Target
  readonly url: string
  /** The topic of `-L`. */
  readonly topic: string | undefined
  readonly version: Version
  readonly properties: GivenProperties
  readonly connect: NodeClientOptions
  readonly close: CloseOptions
}

/** Checks the connection's options and puts them as the client takes them.
 *  @throws UsageError */
export function readConnection(given: ConnectionOptions, sends: readonly PropertyPacket[]): Connection {
  const fromUrl = given.url === undefined ? undefined : readUrl(given.url)
  const host = fromUrl?.host ?? given.host
  const tls = readTls(given, fromUrl?.scheme ?? 'mqtt')
  const scheme = tls === undefined ? (fromUrl?.scheme ?? 'mqtt') : secured(fromUrl?.scheme ?? 'mqtt')
  const port = fromUrl?.port ?? given.port ?? PORTS[scheme]
  const properties = readProperties(
    (given.property ?? []).map((words) => JSON.parse(words) as string[]),
    sends,
  )
  const version = chooseVersion(given, properties)
  const clientId = given.idPrefix === undefined ? given.id : `${given.idPrefix}${process.pid}`
  if (given.id !== undefined && given.idPrefix !== undefined)
    throw new UsageError('-i and -I exclude each other')
  const username = fromUrl?.username ?? given.username
  const password = fromUrl?.password ?? given.pw
  if (password !== undefined && username === undefined && version !== '5.0') {
    throw new UsageError('a password (-P) needs a user name (-u), except with -V mqttv5')
  }
  return {
    target: { host, port },
    url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${fromUrl?.path ?? ''}`,
    topic: fromUrl?.topic,
    version,
    properties,
    connect: {
      version,
      clientId,
      username,
      password,
      keepAlive: given.keepalive,
      ...session(given, clientId, properties),
      will: will(given, properties),
      ...(tls !== undefined && { tls }),
    },
    close: Object.keys(properties.disconnect).length === 0 ? {} : { properties: properties.disconnect },
  }
}

function chooseVersion(given: ConnectionOptions, properties: GivenProperties): Version {
  const version = VERSIONS[given.protocolVersion] ?? 'auto'
  const needs = properties.any ? '-D' : given.sessionExpiryInterval !== undefined ? '-x' : undefined
  if (needs === undefined || version === '5.0') return version
  if (version === 'auto') return '5.0'
  throw new UsageError(`${needs} needs MQTT 5.0 (-V mqttv5), not ${given.protocolVersion}`)
}

function session(given: ConnectionOptions, clientId: string | undefined, { connect }: GivenProperties) {
  const keep = given.disableCleanSession === true
  const interval =
    given.sessionExpiryInterval ?? connect.sessionExpiryInterval ?? (keep ? 4294967295 : undefined)
  if ((keep || interval === 4294967295) && clientId === undefined) {
    throw new UsageError('a session that is kept (-c, -x) needs a client identifier (-i)')
  }
  return {
    cleanStart: !keep,
    properties: interval === undefined ? connect : { ...connect, sessionExpiryInterval: interval },
  }
}

function will(given: ConnectionOptions, { will: properties }: GivenProperties) {
  if (given.willTopic === undefined) {
    const stray = given.willPayload ?? given.willQos ?? given.willRetain
    if (stray !== undefined || Object.keys(properties).length > 0)
      throw new UsageError('a will needs --will-topic')
    return undefined
  }
  return {
    topic: given.willTopic,
    payload: given.willPayload ?? '',
    qos: given.willQos ?? 0,
    retain: given.willRetain === true,
    properties,
  }
}

const URL_FORM = 'mqtt:// or mqtts://[user[:password]@]host[:port]/topic, ws:// or wss://'

function readUrl(text: string) {
  const { path, hash, ...endpoint } = readEndpoint('-L', text, URL_FORM)
  if (endpoint.scheme.startsWith('ws')) return { ...endpoint, topic: undefined, path }
  const topic = decodeURIComponent(`${path.split('?', 1)[0]}${hash}`.replace(/^\//, ''))
  return { ...endpoint, topic: topic === '' ? undefined : topic, path: undefined }
}

/** The exit code that mosquitto_pub and mosquitto_sub give a refused connection: the CONNACK's own code,
 *  1 to 5 in 3.x and 128 and above in 5.0. */
export function refusalExitCode(version: Version): (reasonCode: number) => number {
  return (reasonCode) => (version.startsWith('3') ? (returnCodeFor(reasonCode) ?? 1) : reasonCode)
}
