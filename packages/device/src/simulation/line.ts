import type { ReceivedMessage } from '../message.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** What a simulated device prints instead of sending a message. */
export function lineOf(clientId: string, { topic, payload, qos, retain }: ReceivedMessage): string {
  const marks = [qos === 0 ? '' : ` (QoS ${qos})`, retain ? ' (retained)' : ''].join('')
  return `${clientId}: ${topic} ${shown(payload)}${marks}`
}

/** A payload for a person: text, or its length where it is none. */
function shown(payload: Uint8Array): string {
  try {
    return decoder.decode(payload)
  } catch {
    return `<${payload.length} bytes>`
  }
}
