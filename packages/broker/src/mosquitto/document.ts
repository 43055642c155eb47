import { ConfigurationError } from '../config/check.ts'
import type { MosquittoConfiguration, Said, Sayings } from './configuration.ts'
import { linksOf } from './links.ts'
import { listenersOf } from './listeners.ts'
import { type Place, put } from './place.ts'

/** Of this machine, what a file may refer to. */
export interface MosquittoHost {
  readonly hostname: string
  /** Says whether there is IPv6. */
  readonly ipv6: boolean
  /** The addresses of a network interface; none: there is no such interface. */
  readonly addressesOf: (device: string) => readonly string[]
}

/** A mosquitto.conf as a configuration file of ours would say it. */
export interface MosquittoDocument {
  /** To be written as YAML. */
  readonly document: Readonly<Record<string, unknown>>
  /** What start-up stops for, unless it is told to go on: each a line with its place. */
  readonly unsupported: readonly string[]
  /** What an operator has to know. */
  readonly warnings: readonly string[]
}

/** What an option that means `no limit` by 0 becomes: more than there can be. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER

/** Says what a mosquitto.conf says in our own words. What it leaves out keeps our default, but for who may come in,
 *  where, and whether anything is kept: there Mosquitto's defaults hold.
 *  @throws ConfigurationError with each fault and its line */
export function documentOf(configuration: MosquittoConfiguration, host: MosquittoHost): MosquittoDocument {
  const { broker, security, perListener } = configuration
  const place: Place = { faults: [], warnings: [], unsupported: [...configuration.unsupported] }
  const document: Record<string, unknown> = {}
  document['listeners'] = listenersOf(configuration, host, document, place)
  if (!perListener) putSecurity(document, security)
  putPersistence(document, broker)
  putLimits(document, broker, place)
  putLog(document, broker, place)
  putRest(document, broker)
  putRetainSource(document, configuration)
  const links = linksOf(configuration.bridges, host.hostname, place)
  if (links.length > 0) document['links'] = links
  if (place.faults.length > 0) throw new ConfigurationError(place.faults)
  return { document, unsupported: place.unsupported, warnings: place.warnings }
}

function putSecurity(document: Record<string, unknown>, security: Sayings): void {
  put(document, 'emptyClientId', security.flag('allow_zero_length_clientid'))
  put(document, 'assignedClientIdPrefix', security.text('auto_id_prefix'))
}

function putPersistence(document: Record<string, unknown>, broker: Sayings): void {
  const isKept = broker.flag('persistence') ?? false
  document['persistence'] = isKept
  if (!isKept) return
  const location = broker.text('persistence_location') ?? '.'
  const file = broker.text('persistence_file') ?? 'mosquitto.db'
  // Two brokers may share the location and differ in the file, and Mosquitto's own file is not to be touched.
  document['data'] = `${location.replace(/\/+$/, '')}/${file}.pipit`
}

function putLimits(document: Record<string, unknown>, broker: Sayings, place: Place): void {
  const limits: Record<string, unknown> = {}
  put(limits, 'inflight', unlessNone(broker.number('max_inflight_messages'), 65535))
  put(limits, 'inflightBytes', atLeastOne(broker.number('max_inflight_bytes')))
  put(limits, 'memory', atLeastOne(broker.number('memory_limit')))
  put(limits, 'keepAlive', broker.number('max_keepalive'))
  put(limits, 'maximumPacketSize', atMost(broker.number('max_packet_size'), 268435460))
  put(limits, 'payloadSize', atLeastOne(broker.number('message_size_limit')))
  put(limits, 'queuedBytes', unlessNone(broker.number('max_queued_bytes'), NO_LIMIT))
  put(limits, 'queuedMessages', unlessNone(broker.number('max_queued_messages'), NO_LIMIT))
  const [expiration] = broker.all('persistent_client_expiration').slice(-1)
  if (expiration !== undefined) put(limits, 'sessionExpiryInterval', secondsOf(expiration, place))
  if (Object.keys(limits).length > 0) document['limits'] = limits
  // Mosquitto drops what comes when the queue is full, not what waits in it.
  document['overflowPolicy'] = 'drop-newest'
}

/** 0 and less mean that there is no limit. */
function unlessNone(value: number | undefined, none: number): number | undefined {
  return value === undefined || value > 0 ? value : none
}

function atMost(value: number | undefined, highest: number): number | undefined {
  return value === undefined ? undefined : Math.min(value, highest)
}

function atLeastOne(value: number | undefined): number | undefined {
  return value === undefined || value < 1 ? undefined : value
}

const UNITS: Readonly<Record<string, number>> = {
  h: 3600,
  d: 86_400,
  w: 604_800,
  m: 2_592_000,
  y: 31_536_000,
}

function secondsOf({ value, where }: Said, place: Place): number | undefined {
  const [, count, unit = ''] = /^(\d+)([hdwmy])$/.exec(String(value)) ?? []
  const seconds = Number(count) * (UNITS[unit] ?? 0)
  if (seconds > 0) return Math.min(seconds, 0xffffffff)
  const takes = 'it takes a whole number and one of h, d, w, m, y, such as 14d'
  place.faults.push(`${where}: persistent_client_expiration is ${value}; ${takes}`)
  return undefined
}

/** From the least that is logged on. */
const LEVELS: readonly (readonly [level: string, types: readonly string[]])[] = [
  ['info', ['information', 'notice', 'debug', 'subscribe', 'unsubscribe', 'internal', 'websockets', 'all']],
  ['warn', ['warning']],
  ['error', ['error']],
]

function putLog(document: Record<string, unknown>, broker: Sayings, place: Place): void {
  const log: Record<string, unknown> = {}
  const types = broker.all('log_type').map(({ value }) => String(value))
  // `none` takes back what was said before it.
  const named = types.slice(types.lastIndexOf('none') + 1)
  const level = LEVELS.find(([, names]) => names.some((name) => named.includes(name)))?.[0]
  log['level'] = types.length === 0 ? 'info' : (level ?? 'none')
  for (const said of broker.all('log_dest')) putDestination(log, said, place)
  const facility = broker.number('log_facility')
  if (facility !== undefined) log['syslogFacility'] = `local${facility}`
  put(log, 'connections', broker.flag('connection_messages'))
  put(log, 'timestamp', broker.flag('log_timestamp'))
  put(log, 'timestampFormat', broker.text('log_timestamp_format'))
  document['log'] = log
}

function putDestination(log: Record<string, unknown>, { value, where }: Said, place: Place): void {
  const [word = '', ...rest] = String(value).split(/ +/)
  log['stderr'] ??= false
  if (word === 'none') {
    for (const name of ['stdout', 'file', 'topic', 'syslog']) delete log[name]
    log['stderr'] = false
  } else if (['stderr', 'stdout', 'topic', 'syslog'].includes(word)) log[word] = true
  else if (word === 'file') {
    if (rest.length === 0) place.faults.push(`${where}: log_dest file takes the path of the file`)
    else if (log['file'] !== undefined) place.faults.push(`${where}: log_dest file is said twice`)
    else log['file'] = rest.join(' ')
  } else if (word === 'dlt') {
    const why = 'it is the tool of cars; a file, stdout, stderr, syslog and topic are'
    place.unsupported.push(`${where}: log_dest dlt is not supported: ${why}`)
  } else {
    const takes = 'it takes none, stdout, stderr, syslog, topic, or file and its path'
    place.faults.push(`${where}: log_dest is ${word}; ${takes}`)
  }
}

function putRest(document: Record<string, unknown>, broker: Sayings): void {
  put(document, 'retainAvailable', broker.flag('retain_available'))
  put(document, 'sysInterval', broker.number('sys_interval'))
  put(document, 'pidFile', broker.text('pid_file'))
  put(document, 'user', broker.text('user'))
  put(document, 'queueQoS0', broker.flag('queue_qos0_messages'))
  put(document, 'upgradeQoS', broker.flag('upgrade_outgoing_qos'))
}

/** It is a lock: Mosquitto's default holds wherever it keeps something closed. */
function putRetainSource(document: Record<string, unknown>, configuration: MosquittoConfiguration): void {
  const { broker, security, listeners, defaultListener } = configuration
  const all = [security, defaultListener.security, ...listeners.map((each) => each.security)]
  const hasRules = all.some((sayings) => sayings.has('acl_file'))
  put(document, 'checkRetainSource', broker.flag('check_retain_source') ?? (hasRules ? true : undefined))
}
