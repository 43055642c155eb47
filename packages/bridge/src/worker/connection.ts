import { type MqttClient, type NodeClientOptions, open } from '@pipit/client'
import type { Lease } from '../engine/sessions.ts'
import type { SessionJournal } from './session-journal.ts'

/** The broker that a worker speaks to. */
export interface BrokerOptions {
  /** mqtt://127.0.0.1:1883, or several URLs that are tried in turn. */
  readonly url: string | readonly string[]
  /** Before the Client Identifiers of the sessions; workers of one queue share it. Default `pipit-bridge-`. */
  readonly clientIdPrefix?: string
  /** User name, password, TLS and the like. */
  readonly client?: Pick<
    NodeClientOptions,
    'username' | 'password' | 'tls' | 'webSocket' | 'version' | 'dial'
  >
}

/** How long the broker keeps a session whose worker is away: a week. */
const SESSION_SECONDS = 604_800

/** Opens the connection of a session; it connects again by itself, soon. */
export function openSession(
  { url, clientIdPrefix = 'pipit-bridge-', client = {} }: BrokerOptions,
  lease: Lease,
  store: SessionJournal,
): MqttClient {
  return open(url, {
    ...client,
    clientId: clientIdPrefix + lease.session,
    cleanStart: false,
    store,
    keepAlive: 30,
    connectTimeoutMs: 10_000,
    reconnect: { minimumDelayMs: 100, maximumDelayMs: 5_000 },
    properties: {
      sessionExpiryInterval: SESSION_SECONDS,
      receiveMaximum: 1024,
      maximumPacketSize: 16_777_216,
      topicAliasMaximum: 64,
    },
  })
}
