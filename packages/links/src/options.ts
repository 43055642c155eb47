import { checkTopicFilter, checkTopicName } from '@pipit/protocol'

/** Topics that are carried, and how they are called at either end. */
export interface LinkTopic {
  /** A Topic Filter; absent: one topic, whose names are the two prefixes. */
  readonly pattern?: string
  /** From here to there (`out`), from there to here (`in`), or both. Default `out`. */
  readonly direction?: 'out' | 'in' | 'both'
  /** The highest QoS; default 0. */
  readonly qos?: 0 | 1 | 2
  /** What stands before the pattern here; default nothing. */
  readonly localPrefix?: string
  /** What stands before the pattern there; default nothing. */
  readonly remotePrefix?: string
}

/** TLS to the remote broker. Files are PEM, read when the link begins. */
export interface LinkTls {
  /** Authorities; default: the system's. */
  readonly ca?: string
  /** A folder of authorities: all that end in .crt, .pem, .cer or .0. */
  readonly caFolder?: string
  /** Our certificate, where one is asked for. */
  readonly certificate?: string
  readonly key?: string
  /** The identity of a pre-shared key: it takes the place of certificates, the server's too. */
  readonly pskIdentity?: string
  /** The key, in hexadecimal. */
  readonly psk?: string
  readonly alpn?: string
  /** Do not compare the name in the certificate with the address; the authority is still checked. Default false. */
  readonly anyName?: boolean
  /** The lowest version; default TLSv1.2. */
  readonly version?: 'TLSv1.2' | 'TLSv1.3'
}

/** A link from a broker, called local, to another one, called remote. */
export interface LinkOptions {
  readonly name: string
  /** `host:port` of the remote broker, and of others that stand in for it. */
  readonly addresses: readonly string[]
  readonly topics: readonly LinkTopic[]
  /** Default: the name. Other links must not have it. */
  readonly remoteClientId?: string
  /** Default: `local.` and the remote one. */
  readonly localClientId?: string
  readonly remoteUsername?: string
  readonly remotePassword?: string
  readonly localUsername?: string
  readonly localPassword?: string
  /** The remote session ends with each connection: what comes meanwhile is lost. Default false. */
  readonly cleanSession?: boolean
  /** The local session ends with the link. Default: as `cleanSession`. */
  readonly localCleanSession?: boolean
  /** What is spoken with the remote broker. Default 5.0. */
  readonly version?: '3.1' | '3.1.1' | '5.0'
  /** Say that we are a bridge, as Mosquitto's `try_private`; a broker that refuses it is asked again without.
   *  Default true. */
  readonly bridgeBit?: boolean
  /** Say on a topic whether the link is up: 1 or 0, retained. Default true. */
  readonly notifications?: boolean
  /** Say so here only. Default false. */
  readonly notificationsLocalOnly?: boolean
  /** Default: `$SYS/broker/connection/REMOTE CLIENT ID/state`. */
  readonly notificationTopic?: string
  /** Seconds; default 60. */
  readonly keepAlive?: number
  /** `automatic` (default): always connected; `lazy`: from `threshold` messages on until nothing has come for
   *  `idleTimeout`; `once`: connected until the connection is lost. */
  readonly start?: 'automatic' | 'lazy' | 'once'
  /** Seconds; default 60. */
  readonly idleTimeout?: number
  /** Messages; default 10. */
  readonly threshold?: number
  /** Seconds between attempts: without `restartMaximumSeconds` always so many. Default 5. */
  readonly restartSeconds?: number
  /** The most that the growing, random delay becomes. Default 30, or none when `restartSeconds` is given. */
  readonly restartMaximumSeconds?: number
  /** All addresses are alike. Default false: the first is the one to be connected to whenever it can be. */
  readonly roundRobin?: boolean
  /** Unsubscribe there from what is only carried out: an earlier configuration may have subscribed. Default true. */
  readonly unsubscribes?: boolean
  /** Keep the RETAIN flag of what is carried out. Default true. */
  readonly outgoingRetain?: boolean
  /** The address of this machine to connect from. */
  readonly bindAddress?: string
  /** Bytes of what is carried out; more is dropped and logged. Default: no limit but the remote broker's. */
  readonly maximumPacketSize?: number
  readonly tls?: LinkTls
}

/** How a state is said on the notification topic. */
export const UP = '1'
export const DOWN = '0'

/** Checks what types cannot.
 *  @throws RangeError, TypeError naming the link, the option and what it takes */
export function checkLink(options: LinkOptions): void {
  const { name, addresses, topics } = options
  const complain = (fault: string): never => {
    throw new RangeError(`link ${name}: ${fault}`)
  }
  if (addresses.length === 0) complain('addresses is empty; it takes host:port')
  for (const address of addresses) {
    if (!URL.canParse(`mqtt://${address}`)) complain(`address ${address}: it takes host:port`)
  }
  if (topics.length === 0) complain('topics is empty')
  for (const topic of topics) {
    const { pattern = '', localPrefix = '', remotePrefix = '' } = topic
    if (pattern === '' && (localPrefix === '' || remotePrefix === '')) {
      complain('a topic without a pattern takes both prefixes: the two topics')
    }
    checkTopicFilter(localPrefix + pattern)
    checkTopicFilter(remotePrefix + pattern)
  }
  const fault = options.tls === undefined ? undefined : tlsFault(options.tls)
  if (fault !== undefined) complain(fault)
  if (options.notificationTopic !== undefined) checkTopicName(options.notificationTopic)
  const { restartSeconds = 5, restartMaximumSeconds } = options
  if (restartMaximumSeconds !== undefined && restartMaximumSeconds < restartSeconds) {
    complain(`restartMaximumSeconds is ${restartMaximumSeconds}, less than restartSeconds, ${restartSeconds}`)
  }
  if (localClientIdOf(options) === remoteClientIdOf(options)) {
    complain(
      'localClientId and remoteClientId are the same; a broker linked to itself would take one for the other',
    )
  }
}

function tlsFault({ psk, pskIdentity, ca, caFolder, certificate, key }: LinkTls): string | undefined {
  if ((psk === undefined) !== (pskIdentity === undefined)) {
    return `tls.${psk === undefined ? 'psk' : 'pskIdentity'} is missing; a pre-shared key needs both`
  }
  if (psk === undefined) return undefined
  if (!/^([0-9a-f]{2})+$/i.test(psk)) return 'tls.psk is no text of hexadecimal digits, two for each byte'
  const others = [ca, caFolder, certificate, key].some((each) => each !== undefined)
  return others ? 'tls has a pre-shared key and certificates; it takes one of them' : undefined
}

export function remoteClientIdOf({ name, remoteClientId }: LinkOptions): string {
  return remoteClientId ?? name
}

export function localClientIdOf(options: LinkOptions): string {
  return options.localClientId ?? `local.${remoteClientIdOf(options)}`
}

export function notificationTopicOf(options: LinkOptions): string {
  return options.notificationTopic ?? `$SYS/broker/connection/${remoteClientIdOf(options)}/state`
}
