import type { Figures } from './figures.ts'

type Kind = 'counter' | 'gauge'

const METRICS: readonly (readonly [string, Kind, string, (figures: Figures) => number])[] = [
  ['uptime_seconds', 'gauge', 'Seconds since the broker began.', (f) => f.uptimeSeconds],
  ['memory_bytes', 'gauge', 'Resident memory of the process.', (f) => f.memoryBytes],
  ['sockets_total', 'counter', 'Connections accepted.', (f) => f.sockets],
  ['connects_total', 'counter', 'CONNECT packets received.', (f) => f.connects],
  ['clients_connected', 'gauge', 'Clients connected.', (f) => f.clientsConnected],
  ['clients_disconnected', 'gauge', 'Sessions whose client is away.', (f) => f.clientsDisconnected],
  [
    'clients_expired_total',
    'counter',
    'Sessions that ended while their client was away.',
    (f) => f.clientsExpired,
  ],
  ['clients_maximum', 'gauge', 'Most sessions there have been at a time.', (f) => f.clientsMaximum],
  ['subscriptions', 'gauge', 'Subscriptions, shared ones included.', (f) => f.subscriptions],
  ['shared_subscriptions', 'gauge', 'Shared subscriptions.', (f) => f.sharedSubscriptions],
  ['retained_messages', 'gauge', 'Retained messages.', (f) => f.retainedMessages],
  ['retained_bytes', 'gauge', 'Bytes of retained messages.', (f) => f.retainedBytes],
  ['queued_messages', 'gauge', 'Messages that wait in sessions.', (f) => f.queuedMessages],
  ['queued_bytes', 'gauge', 'Bytes of messages that wait in sessions.', (f) => f.queuedBytes],
  ['packets_received_total', 'counter', 'MQTT packets received.', (f) => f.packetsReceived],
  ['packets_sent_total', 'counter', 'MQTT packets sent.', (f) => f.packetsSent],
  ['publishes_received_total', 'counter', 'PUBLISH packets received.', (f) => f.publishesReceived],
  ['publishes_sent_total', 'counter', 'PUBLISH packets sent.', (f) => f.publishesSent],
  ['publish_bytes_received_total', 'counter', 'Bytes of payloads received.', (f) => f.publishBytesReceived],
  ['publish_bytes_sent_total', 'counter', 'Bytes of payloads sent.', (f) => f.publishBytesSent],
  ['bytes_received_total', 'counter', 'Bytes received.', (f) => f.bytesReceived],
  ['bytes_sent_total', 'counter', 'Bytes sent.', (f) => f.bytesSent],
]

/** Writes figures in the text format of Prometheus, version 0.0.4.
 *  @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function prometheusText(figures: Figures): string {
  const lines: string[] = []
  for (const [name, kind, help, read] of METRICS) {
    lines.push(
      `# HELP pipit_${name} ${help}`,
      `# TYPE pipit_${name} ${kind}`,
      `pipit_${name} ${read(figures)}`,
    )
  }
  const dropped = 'pipit_messages_dropped_total'
  lines.push(`# HELP ${dropped} Messages that did not reach someone, by reason.`, `# TYPE ${dropped} counter`)
  for (const [reason, count] of figures.drops) lines.push(`${dropped}{reason="${reason}"} ${count}`)
  return `${lines.join('\n')}\n`
}
