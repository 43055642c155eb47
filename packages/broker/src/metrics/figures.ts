import type { Broker } from '../broker.ts'
import type { Connection } from '../connection.ts'
import type { DropReason } from './ledger.ts'

/** Numbers that only grow, of one connection or of all. */
export interface Traffic {
  packetsReceived: number
  packetsSent: number
  publishesReceived: number
  publishesSent: number
  bytesReceived: number
  bytesSent: number
  /** Of payloads. */
  publishBytesReceived: number
  publishBytesSent: number
}

/** What a broker can say about itself in numbers. */
export interface Figures extends Traffic {
  /** Connections that were accepted, and those of them that sent CONNECT. */
  readonly sockets: number
  readonly connects: number
  readonly clientsConnected: number
  /** Sessions whose client is away. */
  readonly clientsDisconnected: number
  /** Sessions that ended because their client did not come back. */
  readonly clientsExpired: number
  /** Most sessions there have been at a time. */
  readonly clientsMaximum: number
  readonly subscriptions: number
  readonly sharedSubscriptions: number
  readonly retainedMessages: number
  readonly retainedBytes: number
  readonly queuedMessages: number
  readonly queuedBytes: number
  readonly drops: ReadonlyMap<DropReason, number>
  /** Messages that Mosquitto counts as dropped: someone was there to get them, and could not take them. */
  readonly dropped: number
  readonly uptimeSeconds: number
  readonly memoryBytes: number
}

const NOTHING: Readonly<Traffic> = {
  packetsReceived: 0,
  packetsSent: 0,
  publishesReceived: 0,
  publishesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  publishBytesReceived: 0,
  publishBytesSent: 0,
}

const NOT_TAKEN: readonly DropReason[] = [
  'queue full',
  'slow receiver',
  'too large',
  'rate',
  'retained full',
  'memory full',
]

/** Counts what connections count, beyond their end. */
export class Counters {
  sockets = 0
  connects = 0
  clientsMaximum = 0
  private readonly ended: Traffic = { ...NOTHING }
  private readonly startedAt: number

  constructor(now: number) {
    this.startedAt = now
  }

  /** A connection is gone: what it counted stays. */
  leave(connection: Connection): void {
    add(this.ended, connection)
  }

  /** Reads everything. It costs a walk over the connections and nothing in between. */
  read(broker: Broker): Figures {
    const traffic: Traffic = { ...this.ended }
    let clientsConnected = 0
    for (const connection of broker.connections) {
      add(traffic, connection)
      if (connection.session?.connection === connection && !connection.isLocal) clientsConnected++
    }
    const { sessions, router, retained, queueTotals, ledger } = broker
    const drops = ledger.totals
    return {
      ...traffic,
      sockets: this.sockets,
      connects: this.connects,
      clientsConnected,
      clientsDisconnected: sessions.size - broker.localSessions - clientsConnected,
      clientsExpired: sessions.expiredCount,
      clientsMaximum: this.clientsMaximum,
      subscriptions: router.subscriptions,
      sharedSubscriptions: router.sharedSubscriptions,
      retainedMessages: retained.size,
      retainedBytes: retained.bytes,
      queuedMessages: queueTotals.messages,
      queuedBytes: queueTotals.bytes,
      drops,
      dropped: NOT_TAKEN.reduce((sum, reason) => sum + (drops.get(reason) ?? 0), 0),
      uptimeSeconds: Math.floor((broker.now() - this.startedAt) / 1000),
      memoryBytes: process.memoryUsage.rss(),
    }
  }
}

function add(sum: Traffic, more: Traffic): void {
  sum.packetsReceived += more.packetsReceived
  sum.packetsSent += more.packetsSent
  sum.publishesReceived += more.publishesReceived
  sum.publishesSent += more.publishesSent
  sum.bytesReceived += more.bytesReceived
  sum.bytesSent += more.bytesSent
  sum.publishBytesReceived += more.publishBytesReceived
  sum.publishBytesSent += more.publishBytesSent
}
