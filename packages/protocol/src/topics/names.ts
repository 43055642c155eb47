import { utf8Length } from '../codec/utf8.ts'

/** Says whether a Topic Name read from the wire holds a wildcard character [MQTT-3.3.2-2]. */
export function hasWildcard(topic: string): boolean {
  return topic.includes('#') || topic.includes('+')
}

/** What is wrong with a Topic Name, as a phrase, or undefined.
 *  @see MQTT 5.0, 4.7.3 */
export function topicNameFault(topic: string): string | undefined {
  if (topic.length === 0) return 'a Topic Name is at least one character'
  if (hasWildcard(topic)) return `a Topic Name holds no wildcard: ${JSON.stringify(topic)}`
  return undefined
}

/** @throws TypeError or RangeError when `topic` cannot be published to */
export function checkTopicName(topic: string): void {
  utf8Length(topic, 'topic')
  const fault = topicNameFault(topic)
  if (fault !== undefined) throw new RangeError(fault)
}
