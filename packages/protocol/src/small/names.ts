import { utf8Length } from './utf8.ts'

export function hasWildcard(topic: string): boolean {
  return /[+#]/.test(topic)
}

/** @see topics/names.ts */
export function checkTopicName(topic: string): void {
  utf8Length(topic, 'topic')
  if (topic === '' || hasWildcard(topic)) throw new RangeError('topic is empty or holds a wildcard')
}
