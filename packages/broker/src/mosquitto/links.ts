import type { MosquittoBridge, Said, Sayings } from './configuration.ts'
import { type Place, put } from './place.ts'

type Entry = Record<string, unknown>

/** Each `connection` as an entry of `links`. */
export function linksOf(bridges: readonly MosquittoBridge[], hostname: string, place: Place): Entry[] {
  const links = bridges.map((bridge) => linkOf(bridge, hostname, place))
  links.forEach((link, i) => {
    const same = links.findIndex((other) => other['localClientId'] === link['localClientId'])
    if (same === i) return
    const taken = `local_clientid ${link['localClientId']} is that of connection ${bridges[same]?.name} too`
    place.faults.push(`${bridges[i]?.where}: ${taken}; give one of them another`)
  })
  return links
}

function linkOf({ name, where, own }: MosquittoBridge, hostname: string, place: Place): Entry {
  const remoteClientId = own.text('remote_clientid') ?? `${hostname}.${name}`
  const addresses = addressesOf(own, place)
  const topics = own.all('topic').map((said) => topicOf(said, place))
  if (!own.has('address')) place.faults.push(`${where}: connection ${name} has no address`)
  if (topics.length === 0) place.faults.push(`${where}: connection ${name} has no topic`)
  const link: Entry = { name, addresses, topics }
  link['remoteClientId'] = remoteClientId
  link['localClientId'] = own.text('local_clientid') ?? `local.${remoteClientId}`
  put(link, 'remoteUsername', own.text('remote_username'))
  put(link, 'remotePassword', own.text('remote_password'))
  put(link, 'localUsername', own.text('local_username'))
  put(link, 'localPassword', own.text('local_password'))
  const cleanSession = own.flag('cleansession') ?? false
  put(link, 'cleanSession', cleanSession)
  put(link, 'localCleanSession', own.flag('local_cleansession') ?? cleanSession)
  putBehaviour(link, own, place)
  const tls = tlsOf(own, place)
  if (tls !== undefined) link['tls'] = tls
  return link
}

const PROTOCOLS: Readonly<Record<string, string>> = { mqttv31: '3.1', mqttv311: '3.1.1', mqttv50: '5.0' }

function putBehaviour(link: Entry, own: Sayings, place: Place): void {
  link['version'] = PROTOCOLS[own.text('bridge_protocol_version') ?? 'mqttv311']
  put(link, 'bridgeBit', own.flag('try_private'))
  put(link, 'notifications', own.flag('notifications'))
  put(link, 'notificationsLocalOnly', own.flag('notifications_local_only'))
  put(link, 'notificationTopic', own.text('notification_topic'))
  put(link, 'keepAlive', atLeast(5, own.number('keepalive_interval')))
  put(link, 'start', own.text('start_type'))
  put(link, 'idleTimeout', atLeast(1, own.number('idle_timeout')))
  put(link, 'threshold', atLeast(1, own.number('threshold')))
  put(link, 'roundRobin', own.flag('round_robin'))
  put(link, 'unsubscribes', own.flag('bridge_attempt_unsubscribe'))
  put(link, 'outgoingRetain', own.flag('bridge_outgoing_retain'))
  put(link, 'bindAddress', own.text('bridge_bind_address'))
  const size = own.number('bridge_max_packet_size') ?? 0
  if (size > 0) link['maximumPacketSize'] = Math.min(size, 268435460)
  const [restart] = own.all('restart_timeout').slice(-1)
  if (restart !== undefined) putRestart(link, restart, place)
}

/** Mosquitto raises what is too low. */
function atLeast(lowest: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.max(lowest, value)
}

function putRestart(link: Entry, { value, where }: Said, place: Place): void {
  const words = String(value).split(/ +/)
  const [base = Number.NaN, cap = base] = words.map(Number)
  if (!words.every((word) => /^\d+$/.test(word)) || words.length > 2 || cap < base) {
    const takes = 'it takes seconds, or a lowest and a highest number of them'
    place.faults.push(`${where}: restart_timeout is ${value}; ${takes}`)
    return
  }
  link['restartSeconds'] = Math.max(1, base)
  if (words.length === 2) link['restartMaximumSeconds'] = Math.max(1, cap)
}

function addressesOf(own: Sayings, place: Place): string[] {
  const [said] = own.all('address')
  if (said === undefined) return []
  return String(said.value)
    .split(/ +/)
    .map((word) => {
      // Of an IPv6 address the last part is the port, as for Mosquitto; in brackets it need not have one.
      const [, host = word, port = '1883'] = /^(.+?)(?::(\d+))?$/.exec(word) ?? []
      const isRight = Number(port) >= 1 && Number(port) <= 65535
      if (!isRight) place.faults.push(`${said.where}: address ${word}: its port is to be from 1 to 65535`)
      return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
    })
}

/** `pattern [out|in|both [QoS [local prefix [remote prefix]]]]`; `""` is nothing. */
function topicOf({ value, where }: Said, place: Place): Entry {
  const [pattern = '', direction = 'out', qos = '0', local = '""', remote = '""'] = String(value).split(/ +/)
  const complain = (fault: string): void => void place.faults.push(`${where}: topic ${value}: ${fault}`)
  const said = direction.toLowerCase()
  if (!['out', 'in', 'both'].includes(said)) complain(`${direction} is no direction; out, in and both are`)
  if (!['0', '1', '2'].includes(qos)) complain(`${qos} is no QoS; 0, 1 and 2 are`)
  const [localPrefix, remotePrefix] = [unquoted(local), unquoted(remote)]
  if (/[+#]/.test(localPrefix + remotePrefix)) complain('a prefix takes no wildcards')
  const isWhole = unquoted(pattern) === ''
  if (isWhole && (localPrefix === '' || remotePrefix === '')) {
    complain('an empty pattern takes a local and a remote prefix: the two topics')
  }
  const topic: Entry = { pattern: unquoted(pattern), direction: said, qos: Number(qos) }
  if (isWhole) delete topic['pattern']
  if (localPrefix !== '') topic['localPrefix'] = localPrefix
  if (remotePrefix !== '') topic['remotePrefix'] = remotePrefix
  return topic
}

function unquoted(word: string): string {
  return word === '""' ? '' : word
}

const VERSIONS: Readonly<Record<string, string>> = { 'tlsv1.3': 'TLSv1.3', 'tlsv1.2': 'TLSv1.2' }

function tlsOf(own: Sayings, place: Place): Entry | undefined {
  const tls: Entry = keyOf(own, place)
  put(tls, 'ca', own.text('bridge_cafile'))
  put(tls, 'caFolder', own.text('bridge_capath'))
  put(tls, 'certificate', own.text('bridge_certfile'))
  put(tls, 'key', own.text('bridge_keyfile'))
  if (own.flag('bridge_require_ocsp') === true) {
    const where = own.where('bridge_require_ocsp')
    const why = 'Node gives the stapled answer and nothing that checks it'
    place.unsupported.push(`${where}: bridge_require_ocsp true is not supported; ${why}`)
  }
  if (Object.keys(tls).length === 0) return undefined
  put(tls, 'alpn', own.text('bridge_alpn'))
  put(tls, 'anyName', own.flag('bridge_insecure'))
  const version = own.text('bridge_tls_version')
  if (version === undefined) return tls
  put(tls, 'version', VERSIONS[version])
  if (VERSIONS[version] === undefined) {
    const broken =
      'is not supported: OpenSSL 3 speaks it only at its security level 0; tlsv1.2 and tlsv1.3 are'
    place.unsupported.push(`${own.where('bridge_tls_version')}: bridge_tls_version ${version} ${broken}`)
  }
  return tls
}

/** A pre-shared key, with what Mosquitto asks of it. */
function keyOf(own: Sayings, place: Place): Entry {
  const tls: Entry = {}
  put(tls, 'pskIdentity', own.text('bridge_identity'))
  put(tls, 'psk', own.text('bridge_psk'))
  const names = ['bridge_identity', 'bridge_psk']
  const [there] = names.filter((name) => own.has(name))
  if (there === undefined) return tls
  const missing = names.find((name) => !own.has(name))
  if (missing !== undefined) {
    place.faults.push(`${own.where(there)}: ${missing} is missing; a pre-shared key needs both`)
  }
  const other = ['bridge_cafile', 'bridge_capath', 'bridge_certfile', 'bridge_keyfile'].find((name) =>
    own.has(name),
  )
  if (other !== undefined) {
    place.faults.push(`${own.where(other)}: a connection has either certificates or a pre-shared key`)
  }
  return tls
}
