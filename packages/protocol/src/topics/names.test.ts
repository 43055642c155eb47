import { describe, expect, it } from 'vitest'
import { checkTopicName, hasWildcard, topicNameFault } from './names.ts'

describe('checkTopicName()', () => {
  it.each(['a', '/', 'a/b', '$SYS/x', ' ', 'ä'.repeat(32767)])('takes %s', (topic) => {
    expect(() => checkTopicName(topic)).not.toThrow()
    expect(topicNameFault(topic)).toBeUndefined()
  })

  it.each(['', '#', 'a/+', 'a+b', 'a\0b', '\ud800', 'ä'.repeat(32768)])('refuses %j', (topic) => {
    expect(() => checkTopicName(topic)).toThrow(RangeError)
  })

  it('refuses what is no string', () => {
    expect(() => checkTopicName(undefined as unknown as string)).toThrow(TypeError)
  })
})

describe('hasWildcard()', () => {
  it.each([
    ['a/b', false],
    ['a/#', true],
    ['+', true],
  ])('%s: %s', (topic, expected) => {
    expect(hasWildcard(topic)).toBe(expected)
  })
})
