import { topicFilterFault, topicNameFault } from '@pipit/protocol'
import type { MessageProperties } from '../engine/commands.ts'
import { isCursor } from '../engine/messages.ts'
import { Problem } from './problem.ts'

/** Checks what a schema cannot say, and names the field. Each throws Problem 400. */

export function checkedTopic(topic: string, field: string): string {
  const fault = topicNameFault(topic)
  if (fault !== undefined) throw Problem.field(field, fault)
  return topic
}

export function checkedFilter(filter: string, field: string): string {
  const fault = topicFilterFault(filter)
  if (fault !== undefined) throw Problem.field(field, fault)
  if (filter.startsWith('$share/')) throw Problem.field(field, 'a shared subscription has no meaning here')
  return filter
}

export function checkedCursor(cursor: string, field: string): string {
  if (!isCursor(cursor)) throw Problem.field(field, 'is no cursor; one comes as "next" or as an event id')
  return cursor
}

export function payloadOf(
  { payload, payloadBase64 }: { payload?: string; payloadBase64?: string },
  field: string,
): Uint8Array {
  if (payloadBase64 === undefined) return Buffer.from(payload ?? '', 'utf8')
  if (payload !== undefined)
    throw Problem.field(`${field}/payloadBase64`, 'stands beside payload; give one of them')
  return base64(payloadBase64, `${field}/payloadBase64`)
}

export function timeOf(text: string, field: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw Problem.field(field, 'is no time in ISO 8601, such as 2030-01-31T12:00:00Z')
  return time
}

export function propertiesOf(
  given: { correlationData?: string; responseTopic?: string; userProperties?: string[][] } | undefined,
  field: string,
): MessageProperties | undefined {
  if (given === undefined) return undefined
  const { userProperties, ...rest } = given
  if (given.responseTopic !== undefined) checkedTopic(given.responseTopic, `${field}/responseTopic`)
  if (given.correlationData !== undefined) base64(given.correlationData, `${field}/correlationData`)
  if (userProperties === undefined) return rest
  return { ...rest, userProperties: userProperties.map(([name = '', value = '']) => [name, value] as const) }
}

function base64(text: string, field: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    throw Problem.field(field, 'is no Base64')
  return Buffer.from(text, 'base64')
}
