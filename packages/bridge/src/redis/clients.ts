import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { RedisAddress } from './address.ts'

export type Client = Redis | Cluster

const CONNECT_WITHIN_MS = 5_000
const LONGEST_RETRY_MS = 1_000

/** Begins to connect; goes on for as long as it takes. A command that cannot be sent now, or whose connection ends
 *  before its answer, fails at once: nothing is queued here, and nothing is sent twice. */
export async function newClient(address: RedisAddress, commandTimeoutMs: number): Promise<Client> {
  // Only who has a queue on Redis needs it.
  const { Cluster, Redis } = await import('ioredis')
  const options = optionsOf(address, commandTimeoutMs)
  const [first] = address.hosts
  if (!address.isCluster) return new Redis({ ...options, ...first })
  return new Cluster([...address.hosts], {
    redisOptions: options,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryAfter,
    slotsRefreshTimeout: CONNECT_WITHIN_MS,
    slotsRefreshInterval: 5_000,
    maxRedirections: 4,
  })
}

function optionsOf(
  { username, password, database, tls, name }: RedisAddress,
  commandTimeoutMs: number,
): RedisOptions {
  return {
    username,
    password,
    db: database,
    ...(tls ? { tls: {} } : {}),
    // The older protocol is understood by whatever stands between.
    protocol: 2,
    connectionName: `pipit-${name}`,
    disableClientInfo: true,
    connectTimeout: CONNECT_WITHIN_MS,
    commandTimeout: commandTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retryAfter,
    // A master that has become a replica: its name may mean another machine by now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  }
}

function retryAfter(times: number): number {
  return Math.min(LONGEST_RETRY_MS, times * 50) * (0.5 + Math.random() / 2)
}
