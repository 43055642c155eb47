import type { ClientMetrics } from './metrics.ts'
import type { Session } from './session.ts'

/** What a client has done so far. @param now in the platform's clock */
export function metricsOf({ counters, outbox, inbox, link }: Session, now: number): ClientMetrics {
  return {
    attempts: counters.attempts,
    failures: { ...counters.failures },
    reconnects: Math.max(0, counters.connections - 1),
    connectedMs: counters.connectedMs + (link === undefined ? 0 : now - link.since),
    bytesSent: counters.bytesSent + (link?.transport.bytesSent ?? 0),
    bytesReceived: counters.bytesReceived + (link?.transport.bytesReceived ?? 0),
    messagesSent: counters.messagesSent,
    messagesReceived: counters.messagesReceived,
    inFlight: outbox.inFlight,
    queued: outbox.queue.size,
    queuedBytes: outbox.queue.bytes,
    unacknowledged: inbox.unacknowledged,
    dropped: { ...counters.dropped },
  }
}
