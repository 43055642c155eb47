import type { MessageProperties } from './commands.ts'
import type { StoredMessage } from './messages.ts'

/** A stored message as the API and webhooks show it. */
export interface MessageView {
  readonly cursor: string
  readonly topic: string
  /** The payload where it is UTF-8 text. */
  readonly payload?: string
  /** The payload where it is not. */
  readonly payloadBase64?: string
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly properties?: MessageProperties
  /** ISO 8601. */
  readonly receivedAt: string
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function messageView(message: StoredMessage): MessageView {
  const { cursor, topic, payload, qos, retain, properties, receivedAt } = message
  return {
    cursor,
    topic,
    ...payloadView(payload),
    qos,
    retain,
    ...(properties === undefined ? {} : { properties }),
    receivedAt: new Date(receivedAt).toISOString(),
  }
}

export function payloadView(payload: Uint8Array): { payload: string } | { payloadBase64: string } {
  try {
    return { payload: decoder.decode(payload) }
  } catch {
    return { payloadBase64: Buffer.from(payload).toString('base64') }
  }
}
