import { mountPointFault } from '../listeners/mount.ts'
import type { MosquittoConfiguration, MosquittoListener, Sayings } from './configuration.ts'
import type { MosquittoHost } from './document.ts'
import { type Place, put } from './place.ts'

type Entry = Record<string, unknown>

const LOOPBACK = /^(127(\.\d+){3}|::1|localhost)$/

/** Where clients come in, each address an entry. Without a word about listeners: port 1883 of this machine, for
 *  everyone on it. Access that is the same for all goes to the top of the document. */
export function listenersOf(
  configuration: MosquittoConfiguration,
  host: MosquittoHost,
  document: Entry,
  place: Place,
): Entry[] {
  const { perListener, security, broker } = configuration
  const listeners = [...configuration.listeners]
  if (saysSomething(configuration.defaultListener)) listeners.push(configuration.defaultListener)
  const isLocal = listeners.length === 0
  const access = (sayings: Sayings): Entry => accessOf(sayings, broker, isLocal)
  if (!perListener || isLocal) document['access'] = access(security)
  const shared: Entry = {}
  put(shared, 'noDelay', broker.flag('set_tcp_nodelay'))
  if (isLocal) return loopbacks(host, { port: 1883, ...shared })
  return listeners.flatMap((listener) => {
    const own = perListener ? access(listener.security) : undefined
    const entry = { ...shared, ...ownOf(listener, security, place) }
    putHttp(entry, listener.own, broker, place)
    if (own !== undefined) entry['access'] = own
    const secured = { ...entry, ...insecurity(listener, own ?? document['access'], entry, place) }
    return addressed(listener, host, secured, place)
  })
}

/** Mosquitto makes a listener of what stands above the first one when it says more than its defaults. */
function saysSomething({ own, security }: MosquittoListener): boolean {
  return own.size > 0 || security.size > 0
}

function loopbacks({ ipv6 }: MosquittoHost, entry: Entry): Entry[] {
  const hosts = ipv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']
  return hosts.map((host) => ({ host, ...entry }))
}

/** Nobody may come in unless it is said who: Mosquitto's default since 2.0. */
function accessOf(sayings: Sayings, broker: Sayings, isLocal: boolean): Entry {
  const access: Entry = { anonymous: sayings.flag('allow_anonymous') ?? isLocal }
  put(access, 'passwordFile', sayings.text('password_file'))
  put(access, 'aclFile', sayings.text('acl_file'))
  put(access, 'clientIdPrefix', broker.text('clientid_prefixes'))
  return access
}

function ownOf({ own, security }: MosquittoListener, shared: Sayings, place: Place): Entry {
  const entry: Entry = {}
  const connections = own.number('max_connections')
  if (connections !== undefined && connections >= 0) entry['maximumConnections'] = connections
  put(entry, 'maximumQoS', own.number('max_qos'))
  put(entry, 'topicAliasMaximum', own.number('max_topic_alias'))
  put(entry, 'usernameAsClientId', own.flag('use_username_as_clientid'))
  put(entry, 'emptyClientId', security.flag('allow_zero_length_clientid'))
  put(entry, 'assignedClientIdPrefix', security.text('auto_id_prefix'))
  putMountPoint(entry, own, place)
  if (own.text('protocol') === 'websockets') entry['type'] = 'websocket'
  const tls = tlsOf(own, security.text('psk_file') ?? shared.text('psk_file'), place)
  if (tls !== undefined) entry['tls'] = tls
  return entry
}

function putHttp(entry: Entry, own: Sayings, broker: Sayings, place: Place): void {
  const folder = own.text('http_dir')
  if (entry['type'] !== 'websocket') {
    const does = 'http_dir does nothing without protocol websockets'
    if (folder !== undefined) place.warnings.push(`${own.where('http_dir')}: ${does}`)
    return
  }
  put(entry, 'httpFolder', folder)
  const headers = broker.number('websockets_headers_size') ?? 0
  if (headers > 8192) entry['headerBytes'] = headers
}

function putMountPoint(entry: Entry, own: Sayings, place: Place): void {
  const prefix = own.text('mount_point')
  if (prefix === undefined) return
  const fault = mountPointFault(prefix)
  if (fault !== undefined) place.faults.push(`${own.where('mount_point')}: mount_point ${prefix} ${fault}`)
  entry['mountPoint'] = prefix
}

const VERSIONS: Readonly<Record<string, string>> = { 'tlsv1.3': 'TLSv1.3', 'tlsv1.2': 'TLSv1.2' }

function tlsOf(own: Sayings, pskFile: string | undefined, place: Place): Entry | undefined {
  if (own.text('tls_keyform') === 'engine') {
    place.unsupported.push(
      `${own.where('tls_keyform')}: tls_keyform engine is not supported; keys come from files, and OpenSSL 3 advises against engines`,
    )
  }
  const [certificate, key] = [own.text('certfile'), own.text('keyfile')]
  const isPsk = own.has('psk_hint')
  if (certificate !== undefined && isPsk) {
    place.faults.push(`${own.where('psk_hint')}: a listener has either a certificate or pre-shared keys`)
  }
  if ((certificate === undefined) !== (key === undefined)) {
    const [there, missing] = certificate === undefined ? ['keyfile', 'certfile'] : ['certfile', 'keyfile']
    place.faults.push(`${own.where(there)}: ${missing} is missing; TLS listeners need certfile and keyfile`)
  }
  if (certificate === undefined && !isPsk) return undefined
  return certificate === undefined ? pskOf(own, pskFile, place) : certificateOf(own, place)
}

function certificateOf(own: Sayings, place: Place): Entry {
  const tls: Entry = { certificate: own.text('certfile'), key: own.text('keyfile') }
  put(tls, 'ca', own.text('cafile'))
  put(tls, 'caFolder', own.text('capath'))
  put(tls, 'crl', own.text('crlfile'))
  put(tls, 'dhParameters', own.text('dhparamfile'))
  put(tls, 'requireCertificate', own.flag('require_certificate'))
  const isRequired = own.flag('require_certificate') === true
  // Without a certificate that is asked for, Mosquitto takes the name that CONNECT gives.
  if (isRequired) {
    put(tls, 'identityAsUsername', own.flag('use_identity_as_username'))
    put(tls, 'subjectAsUsername', own.flag('use_subject_as_username'))
  }
  return { ...tls, ...common(own, place) }
}

function pskOf(own: Sayings, pskFile: string | undefined, place: Place): Entry {
  const tls: Entry = { pskHint: own.text('psk_hint') }
  if (pskFile === undefined) place.faults.push(`${own.where('psk_hint')}: psk_file is missing`)
  else tls['pskFile'] = pskFile
  put(tls, 'identityAsUsername', own.flag('use_identity_as_username'))
  const all = { ...tls, ...common(own, place) }
  if (all['minimumVersion'] === 'TLSv1.3') {
    const why = 'pre-shared keys are those of TLS 1.2 here'
    place.unsupported.push(
      `${own.where('tls_version')}: tls_version tlsv1.3 is not supported with psk_hint; ${why}`,
    )
  }
  return all
}

function common(own: Sayings, place: Place): Entry {
  const tls: Entry = {}
  const ciphers = [own.text('ciphers_tls1.3'), own.text('ciphers')].filter((text) => text !== undefined)
  if (ciphers.length > 0) tls['ciphers'] = ciphers.join(':')
  const version = own.text('tls_version')
  if (version === undefined) return tls
  put(tls, 'minimumVersion', VERSIONS[version])
  if (VERSIONS[version] === undefined) {
    const broken =
      'is not supported: OpenSSL 3 speaks it only at its security level 0; tlsv1.2 and tlsv1.3 are'
    place.unsupported.push(`${own.where('tls_version')}: tls_version ${version} ${broken}`)
  }
  return tls
}

/** What is open to the network is so because the file says it in words: a `listener` without an address is one.
 *  It is also said to the operator. */
function insecurity(listener: MosquittoListener, access: unknown, entry: Entry, place: Place): Entry {
  const address = addressOf(listener)
  const isBeyond = address === undefined || (!address.includes('/') && !LOOPBACK.test(address))
  const isAnonymous = (access as Entry)['anonymous'] === true
  if (!isBeyond || (!isAnonymous && entry['tls'] !== undefined)) return {}
  const where = listener.said?.where ?? ''
  const what = isAnonymous ? 'lets anyone in' : 'takes passwords without TLS, readable on their way'
  const name = listener.said === undefined ? 'the default listener' : `listener ${listener.said.value}`
  place.warnings.push(`${where === '' ? '' : `${where}: `}${name} is open to the network and ${what}`)
  return { insecure: true }
}

function addressOf({ said, own }: MosquittoListener): string | undefined {
  if (said === undefined) return own.text('bind_address')
  return String(said.value).split(/ +/)[1]
}

function addressed(listener: MosquittoListener, host: MosquittoHost, entry: Entry, place: Place): Entry[] {
  const { said, own } = listener
  const [portText = ''] = said === undefined ? ['1883'] : String(said.value).split(/ +/)
  const where = said?.where ?? own.where('port')
  const port = said === undefined ? (own.number('port') ?? 1883) : Number(portText)
  const address = addressOf(listener)
  if (!/^\d+$/.test(String(port)) || port > 65535) {
    place.faults.push(`${where}: listener is ${said?.value}; it takes a port from 0 to 65535 first`)
    return []
  }
  if (port === 0) {
    if (address !== undefined) return [{ type: 'unix', path: address, ...entry }]
    place.faults.push(`${where}: listener 0 takes the path of a unix socket behind it`)
    return []
  }
  return hostsOf(own, address, host, place).map((each) => ({ ...each, port, ...entry }))
}

/** Mosquitto listens on every address that a name has; of names, `localhost` has two. */
function hostsOf(own: Sayings, address: string | undefined, host: MosquittoHost, place: Place): Entry[] {
  const domain = own.text('socket_domain')
  const device = own.text('bind_interface')
  const isWanted = (each: string): boolean =>
    domain === undefined || each.includes(':') === (domain === 'ipv6')
  if (device !== undefined) {
    const addresses = host.addressesOf(device).filter(isWanted)
    if (addresses.length === 0) {
      place.faults.push(
        `${own.where('bind_interface')}: bind_interface ${device}: no such interface has an address`,
      )
    }
    return addresses.map((each) => ({ host: each }))
  }
  if (address === 'localhost') {
    const both = host.ipv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']
    return both.filter(isWanted).map((each) => ({ host: each }))
  }
  if (address !== undefined) return [{ host: address }]
  if (domain === 'ipv4' || !host.ipv6) return [{ host: '0.0.0.0' }]
  return [domain === 'ipv6' ? { host: '::', ipv6Only: true } : { host: '::' }]
}
