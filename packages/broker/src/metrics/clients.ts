import type { ProtocolVersion } from '@pipit/protocol'
import type { Session } from '../sessions/session.ts'

/** A client that the broker knows: connected, or with a session that waits for it. */
export interface ClientInfo {
  readonly clientId: string
  readonly username: string | undefined
  readonly connected: boolean
  /** The rest is undefined while the client is away. */
  readonly remoteAddress: string | undefined
  readonly protocolVersion: ProtocolVersion | undefined
  /** Seconds. */
  readonly keepAlive: number | undefined
  /** Milliseconds since the epoch. */
  readonly connectedAt: number | undefined
  /** Seconds that the session outlives its connection; 4294967295: for ever. */
  readonly sessionExpiryInterval: number
  readonly subscriptions: number
  readonly queuedMessages: number
  readonly queuedBytes: number
  /** QoS 1 and 2 messages sent and not acknowledged. */
  readonly inFlight: number
}

export function clientInfo(session: Session): ClientInfo {
  const { clientId, username, connection, expiryInterval, queuedMessages, queuedBytes, outbound } = session
  return {
    clientId,
    username,
    connected: connection !== undefined,
    remoteAddress: connection?.stream.remoteAddress,
    protocolVersion: connection?.protocolVersion,
    keepAlive: connection?.keepAlive,
    connectedAt: connection?.connectedAt,
    sessionExpiryInterval: expiryInterval,
    subscriptions: session.subscriptions?.size ?? 0,
    queuedMessages,
    queuedBytes,
    inFlight: outbound.inFlight,
  }
}
