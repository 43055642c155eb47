import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Dial, NodeClientOptions, Store, TlsOptions } from '@pipit/client'
import { DOWN, type LinkOptions, type LinkTls, notificationTopicOf, remoteClientIdOf } from './options.ts'

/** QoS 1 and 2 messages from the local broker that may be under way. To the remote one no limit is announced but
 *  that of MQTT: Mosquitto 2.0 sends a restored session more than its client's Receive Maximum, for ever. */
export const WINDOW = 1000

/** A session that never ends by itself. */
export const FOR_EVER = 0xffffffff

/** Messages that may wait in a client: those under way, and what came at QoS 0. */
export const QUEUE = { limitMessages: 100_000, limitBytes: 1_073_741_824 }

/** How a client is made that goes on whatever happens: no refusal and no unlucky message ends it. */
export const STEADFAST = { poisonLimit: 1000, queue: QUEUE, topicAliases: true } as const

/** The servers that a link connects to, as the client takes them. */
export function serversOf({ addresses, tls }: LinkOptions): string[] {
  return addresses.map((address) => `${tls === undefined ? 'mqtt' : 'mqtts'}://${address}`)
}

/** How to connect to them.
 *  @param store for what is in flight at QoS 2; undefined: it is kept in memory
 *  @throws Error naming a file that cannot be read */
export function remoteOptions(options: LinkOptions, store: Store | undefined, dial: Dial): NodeClientOptions {
  const { cleanSession = false, version = '5.0', keepAlive = 60, bridgeBit = true } = options
  const { remoteUsername: username, remotePassword: password, roundRobin = false, tls } = options
  return {
    ...STEADFAST,
    clientId: remoteClientIdOf(options),
    version,
    cleanStart: cleanSession,
    bridge: bridgeBit,
    keepAlive,
    properties: { sessionExpiryInterval: cleanSession ? 0 : FOR_EVER },
    preferFirst: !roundRobin,
    dial,
    reconnect: options.start === 'once' ? false : { delayMs: delayOf(options), retryOn: () => true },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(isToldThere(options) && { will: willOf(options) }),
    ...(store !== undefined && { store }),
    ...(tls !== undefined && { tls: tlsOptions(tls) }),
  }
}

/** Says whether the remote broker is told of the link's state. */
export function isToldThere({ notifications = true, notificationsLocalOnly = false }: LinkOptions): boolean {
  return notifications && !notificationsLocalOnly
}

function willOf(options: LinkOptions): NonNullable<NodeClientOptions['will']> {
  const { outgoingRetain = true } = options
  return { topic: notificationTopicOf(options), payload: DOWN, qos: 1, retain: outgoingRetain }
}

/** Between the two bounds a random delay that grows with each failure; with one bound, always that. */
function delayOf({ restartSeconds, restartMaximumSeconds }: LinkOptions): (failures: number) => number {
  const base = (restartSeconds ?? 5) * 1000
  const cap = restartMaximumSeconds === undefined && restartSeconds === undefined ? 30 : restartMaximumSeconds
  if (cap === undefined) return () => base
  return (failures) => {
    const bound = Math.min(cap * 1000, base * 3 ** Math.min(failures, 30))
    return base + Math.random() * Math.max(0, bound - base)
  }
}

function tlsOptions(tls: LinkTls): TlsOptions {
  const { ca, caFolder, certificate, key, alpn, anyName, version } = tls
  const authorities = [
    ...(ca === undefined ? [] : [ca]),
    ...(caFolder === undefined ? [] : filesIn(caFolder)),
  ]
  return {
    ...(authorities.length > 0 && { ca: authorities.map((path) => readFileSync(path)) }),
    ...(certificate !== undefined && { cert: readFileSync(certificate) }),
    ...(key !== undefined && { key: readFileSync(key) }),
    ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
    ...(anyName === true && { checkServerIdentity: () => undefined }),
    ...(version !== undefined && { minVersion: version }),
    ...keyOptions(tls),
  }
}

/** Who knows the key is who we mean: there is no certificate, and no name in it. */
function keyOptions({ psk, pskIdentity }: LinkTls): TlsOptions {
  if (psk === undefined || pskIdentity === undefined) return {}
  const answer = { psk: Buffer.from(psk, 'hex'), identity: pskIdentity }
  return {
    // Node offers no cipher that works with pre-shared keys unless it is named.
    ciphers: 'PSK:TLS_AES_128_GCM_SHA256',
    pskCallback: () => answer,
    checkServerIdentity: () => undefined,
  }
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => /\.(crt|pem|cer|0)$/.test(name))
  return names.map((name) => join(folder, name))
}

/** Opens TCP connections, and knows the last one. */
export class Dialler {
  /** `host:port` of the last connection. */
  address = ''
  private readonly localAddress: string | undefined
  private socket: Socket | undefined = undefined

  constructor(localAddress: string | undefined) {
    this.localAddress = localAddress
  }

  readonly dial: Dial = async (host, port, signal) => {
    const socket = await this.open(host, port, signal)
    this.socket = socket
    this.address = `${host.includes(':') ? `[${host}]` : host}:${port}`
    return socket
  }

  /** Says whether something answers there. */
  async reaches(host: string, port: number, signal: AbortSignal): Promise<boolean> {
    try {
      const socket = await this.open(host, port, signal)
      socket.destroy()
      return true
    } catch {
      return false
    }
  }

  /** Breaks the last connection. */
  hangUp(): void {
    this.socket?.destroy()
  }

  private async open(host: string, port: number, signal: AbortSignal): Promise<Socket> {
    const { localAddress } = this
    const socket = connect({ host, port, noDelay: true, ...(localAddress !== undefined && { localAddress }) })
    try {
      await once(socket, 'connect', { signal })
      return socket
    } catch (error) {
      socket.destroy()
      throw error
    }
  }
}
