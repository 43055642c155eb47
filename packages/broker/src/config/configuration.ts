import type { AccessOptions } from '../auth/access-options.ts'
import { mountPointFault } from '../listeners/mount.ts'
import type { ListenerRules } from '../listeners/rules.ts'
import type { TlsOptions } from '../listeners/tls-options.ts'
import type { BrokerOptions, Limits } from '../options.ts'
import { ConfigurationError, type Entry, type Settings } from './check.ts'
import { OPTIONS, type OptionRow } from './table.ts'

/** One place where clients come in, as configured. */
export interface ListenerConfiguration extends ListenerRules {
  readonly type: 'tcp' | 'websocket' | 'unix'
  readonly port?: number
  readonly host?: string
  readonly ipv6Only?: boolean
  readonly path?: string
  readonly mode?: number
  readonly noDelay?: boolean
  readonly tcpKeepAliveMs?: number
  readonly backlog?: number
  readonly proxyProtocol?: 1 | 2 | true
  readonly proxyTimeoutMs?: number
  readonly handshakeTimeoutMs?: number
  readonly httpFolder?: string
  readonly headerBytes?: number
  readonly tls?: TlsOptions
  readonly access?: AccessOptions
  readonly insecure?: boolean
  readonly maximumConnections?: number
}

/** What a configuration says. */
export interface Configuration {
  readonly options: BrokerOptions
  /** Undefined when nothing is said. */
  readonly listeners: readonly ListenerConfiguration[] | undefined
  /** What the program around the broker does. */
  readonly program: ProgramConfiguration
}

/** What is configured in the same file, and is not the broker's. */
export interface ProgramConfiguration {
  /** Links to other brokers: what `@pipit/links` takes. */
  readonly links: readonly Entry[]
  readonly persistence: boolean
  readonly pidFile: string | undefined
  readonly user: string | undefined
  /** Undefined when nothing is said about it. */
  readonly log: LogConfiguration | undefined
}

/** What is logged, and where to. */
export interface LogConfiguration {
  readonly level?: 'none' | 'error' | 'warn' | 'info'
  readonly stderr?: boolean
  readonly stdout?: boolean
  readonly file?: string
  readonly topic?: boolean
  readonly syslog?: boolean
  readonly syslogFacility?:
    | 'daemon'
    | 'user'
    | 'local0'
    | 'local1'
    | 'local2'
    | 'local3'
    | 'local4'
    | 'local5'
    | 'local6'
    | 'local7'
  readonly timestamp?: boolean
  readonly timestampFormat?: string
  readonly connections?: boolean
}

/** Makes options of checked settings.
 *  @throws ConfigurationError when settings contradict each other */
export function configurationOf(settings: Settings): Configuration {
  const options: Record<string, unknown> = {}
  const limits: Partial<Record<keyof Limits, number>> = {}
  for (const [key, { value }] of settings) {
    if (key === 'listeners') continue
    if (key.startsWith('limits.')) limits[key.slice('limits.'.length) as keyof Limits] = value as number
    else put(options, key.split('.'), value)
  }
  const said = settings.get('listeners')
  const listeners = (said?.value as readonly Entry[] | undefined)?.map((entry, i) =>
    listenerOf(entry, `${said?.where}: listeners[${i}]`),
  )
  const { links = [], persistence = true, pidFile, user, log, ...rest } = options
  const program = { links, persistence, pidFile, user, log } as ProgramConfiguration
  return { options: { ...rest, limits } as BrokerOptions, listeners, program }
}

/** Puts a value where its key says: `access.jwt.keys`. */
function put(
  options: Record<string, unknown>,
  [name = '', ...rest]: readonly string[],
  value: unknown,
): void {
  if (rest.length === 0) options[name] = value
  else {
    const section = (options[name] ?? {}) as Record<string, unknown>
    options[name] = section
    put(section, rest, value)
  }
}

function listenerOf(entry: Entry, where: string): ListenerConfiguration {
  const { type = 'tcp', mode, proxyProtocol, ...rest } = entry
  const complain = (fault: string): never => {
    throw new ConfigurationError([`${where}: ${fault}`])
  }
  if (type === 'unix' && rest['path'] === undefined) complain('a unix socket needs a path')
  if (type === 'unix' && (rest['port'] ?? rest['host']) !== undefined) {
    complain('a unix socket has no port and no host')
  }
  if (type === 'tcp' && rest['path'] !== undefined)
    complain('TCP has no path; is it type: unix, or websocket?')
  if (type === 'unix' && rest['tls'] !== undefined) complain('a unix socket speaks no TLS')
  for (const key of ['httpFolder', 'headerBytes']) {
    if (rest[key] !== undefined && type !== 'websocket') complain(`${key} is for type: websocket`)
  }
  const mountFault = mountPointFault(String(rest['mountPoint'] ?? ''))
  if (mountFault !== undefined)
    complain(`mountPoint is ${JSON.stringify(rest['mountPoint'])}; it ${mountFault}`)
  if (mode !== undefined && type !== 'unix') complain('only a unix socket has a mode')
  if (mode !== undefined && !/^[0-7]{3}$/.test(String(mode))) {
    complain(`mode is ${mode}; it takes three octal digits, such as 660`)
  }
  return {
    ...(rest as object),
    type: type as ListenerConfiguration['type'],
    ...(mode !== undefined && { mode: Number.parseInt(String(mode), 8) }),
    ...(proxyProtocol !== undefined &&
      proxyProtocol !== false && { proxyProtocol: proxyProtocol as 1 | 2 | true }),
  }
}

/** What a new reading of the configuration changes. */
export interface Changes {
  /** Keys whose new values count, now or for new connections. */
  readonly taken: readonly string[]
  /** Keys whose new values count only after a restart. */
  readonly left: readonly string[]
}

/** Compares two readings; a key that is no longer there goes back to its default. */
export function changesBetween(before: Settings, after: Settings): Changes {
  const changed = OPTIONS.filter((row) => saidIn(before, row) !== saidIn(after, row))
  const isLeft = ({ reload }: OptionRow): boolean => reload === 'restart'
  return {
    taken: changed.filter((row) => !isLeft(row)).map(({ key }) => key),
    left: changed.filter(isLeft).map(({ key }) => key),
  }
}

function saidIn(settings: Settings, { key, fallback }: OptionRow): string {
  return JSON.stringify(settings.get(key)?.value ?? fallback ?? null)
}
