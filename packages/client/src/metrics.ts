/** What a client has done so far; `client.metrics()` gives a copy. */
export interface ClientMetrics {
  /** Connections tried, and those that were not to be had or ended, by reason (an error's `code`, with the
   *  reason code where there is one). */
  readonly attempts: number
  readonly failures: Readonly<Record<string, number>>
  /** Connections after the first. */
  readonly reconnects: number
  /** Milliseconds with a connection, the present one included. */
  readonly connectedMs: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly messagesSent: number
  readonly messagesReceived: number
  /** Sent and not acknowledged. */
  readonly inFlight: number
  /** Not sent yet. */
  readonly queued: number
  readonly queuedBytes: number
  /** Received and not acknowledged. */
  readonly unacknowledged: number
  /** Messages dropped, by reason: `queueFull`, `queueDropOldest`, `queueReplaced`, `slowReceiver`, `unclaimed`. */
  readonly dropped: Readonly<Record<string, number>>
}

/** The counters behind the metrics. */
export class Counters {
  attempts = 0
  connections = 0
  messagesSent = 0
  messagesReceived = 0
  /** Of connections that have ended. */
  bytesSent = 0
  bytesReceived = 0
  connectedMs = 0
  readonly failures: Record<string, number> = {}
  readonly dropped: Record<string, number> = {}

  failed(error: Error & { code?: unknown; reasonCode?: unknown }): void {
    const code = typeof error.code === 'string' ? error.code : error.name
    count(
      this.failures,
      typeof error.reasonCode === 'number' ? `${code} 0x${error.reasonCode.toString(16)}` : code,
    )
  }

  readonly drop = (reason: string): void => count(this.dropped, reason)
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}
