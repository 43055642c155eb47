import type { KeepOptions, OutgoingMessage } from './types.ts'

/** What is kept of messages that could not be sent, and how many had no room or gave way to newer ones. */
export function keep(
  messages: readonly OutgoingMessage[],
  options: KeepOptions,
): { kept: readonly OutgoingMessage[]; dropped: number } {
  const { limit = 100, policy = 'newestPerTopic' } = options
  const wanted = policy === 'newestPerTopic' ? newest(messages) : messages
  const kept = wanted.slice(Math.max(0, wanted.length - limit))
  return { kept, dropped: messages.length - kept.length }
}

/** The last message of each topic, in the order in which those came. */
function newest(messages: readonly OutgoingMessage[]): readonly OutgoingMessage[] {
  const last = new Map(messages.map((message, index) => [message.topic, index]))
  return messages.filter(({ topic }, index) => last.get(topic) === index)
}

/** The messages in a value that was read from somewhere; what is none is left out. */
export function messagesIn(value: unknown): readonly OutgoingMessage[] {
  return Array.isArray(value) ? value.filter(isMessage) : []
}

function isMessage(value: unknown): value is OutgoingMessage {
  if (typeof value !== 'object' || value === null) return false
  const { topic, payload, qos = 1, retain = false } = value as Record<string, unknown>
  const known = qos === 0 || qos === 1 || qos === 2
  return typeof topic === 'string' && typeof payload === 'string' && known && typeof retain === 'boolean'
}
