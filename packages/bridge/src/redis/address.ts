/** Where a queue on Redis is. */
export interface RedisAddress {
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  readonly tls: boolean
  readonly isCluster: boolean
  /** Of the bridge: several may share a Redis. */
  readonly name: string
  /** The address as it may be shown: without user and password. */
  readonly label: string
}

const FORM = 'redis://USER:PASSWORD@HOST:6379/0?name=NAME, or rediss:// over TLS'
const ENCODED =
  'user and password of a Redis address are percent-encoded: "@" is %40, "/" %2F, "?" %3F, "#" %23, "%" %25'
const DEFAULT_PORT = 6379
/** Scheme, user with password, hosts, database, options. */
const PARTS = /^(rediss?):\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i

/** @throws TypeError that says what is wrong, and never the password */
export function parseRedisAddress(text: string): RedisAddress {
  const [whole, scheme = '', user, authority = '', path = '', query = ''] = PARTS.exec(text) ?? []
  if (whole === undefined) throw new TypeError(`that is no address of a Redis; it looks like ${FORM}`)
  // Part of a password, perhaps: nothing of it is said again.
  if (`${authority}${path}${query}`.includes('@')) throw new TypeError(ENCODED)
  const hosts = authority.split(',').map(hostOf)
  const database = databaseOf(path)
  const { name, isCluster } = optionsOf(query, hosts.length > 1)
  if (isCluster && database !== 0) {
    throw new TypeError(`a Redis Cluster has database 0 only; leave /${database} out`)
  }
  const tls = scheme.toLowerCase() === 'rediss'
  const label = `${tls ? 'rediss' : 'redis'}://${authority}/${database}`
  return { hosts, ...credentialsOf(user), database, tls, isCluster, name, label }
}

function hostOf(text: string): { host: string; port: number } {
  // Brackets around an address of IPv6.
  const [, host = '', port = String(DEFAULT_PORT)] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? []
  if (host === '' || Number(port) > 65_535 || Number(port) < 1) {
    throw new TypeError(`${JSON.stringify(text)} is no host and port of a Redis; it looks like ${FORM}`)
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function databaseOf(path: string): number {
  if (!/^\d{0,5}$/.test(path))
    throw new TypeError(`the database of a Redis is a number, such as /0, not /${path}`)
  return Number(path)
}

function optionsOf(query: string, areSeveral: boolean): { name: string; isCluster: boolean } {
  const options = new URLSearchParams(query)
  for (const key of options.keys()) {
    if (key !== 'name' && key !== 'cluster') {
      throw new TypeError(`${JSON.stringify(key)} is no option of a Redis address; there are: name, cluster`)
    }
  }
  const name = options.get('name') ?? 'bridge'
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new TypeError(
      `the name of a bridge holds letters, digits, "-", "_" and ".", not ${JSON.stringify(name)}`,
    )
  }
  const cluster = options.get('cluster')
  return { name, isCluster: areSeveral || (cluster !== null && cluster !== 'false') }
}

function credentialsOf(user: string | undefined): Pick<RedisAddress, 'username' | 'password'> {
  if (user === undefined) return { username: undefined, password: undefined }
  try {
    const [, name = '', password] = /^([^:]*)(?::(.*))?$/.exec(user) ?? []
    return {
      username: name === '' ? undefined : decodeURIComponent(name),
      password: password === undefined ? undefined : decodeURIComponent(password),
    }
  } catch {
    throw new TypeError(ENCODED)
  }
}
