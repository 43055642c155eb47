import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encode, encodedLength } from './encode.ts'
import type { Publish } from './packets.ts'
import { TopicAliasOnly } from './topic-alias-only.ts'

test('TopicAliasOnly is written as any properties with a topicAlias are', () => {
  const given = fc.record({
    topic: fc.constantFrom('', 'a', 'sensors/é'),
    payload: fc.uint8Array({ maxLength: 300 }),
    qos: fc.constantFrom(0, 1, 2),
    topicAlias: fc.integer({ min: 1, max: 65535 }),
  })
  fc.assert(
    fc.property(given, ({ topicAlias, qos, ...rest }) => {
      const packet = {
        type: 'PUBLISH',
        retain: false,
        dup: false,
        packetId: qos === 0 ? 0 : 7,
        qos,
        ...rest,
      } as const
      const plain = { ...packet, properties: { topicAlias } } as Publish
      const only = { ...packet, properties: new TopicAliasOnly(topicAlias) } as Publish
      expect(encode(only, 5)).toEqual(encode(plain, 5))
      expect(encodedLength(only, 5)).toBe(encodedLength(plain, 5))
      if (rest.topic !== '') expect(encode(only, 4)).toEqual(encode(plain, 4))
    }),
  )
  for (const alias of [0, 65536, 1.5]) expect(() => new TopicAliasOnly(alias)).toThrow(/it takes 1 to 65535/)
})
