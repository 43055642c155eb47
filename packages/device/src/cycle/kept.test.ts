import { expect, test } from 'vitest'
import { keep, messagesIn } from './kept.ts'
import type { KeepOptions } from './types.ts'

const messages = ['a1', 'b1', 'a2', 'c1', 'b2'].map((name) => ({ topic: name.charAt(0), payload: name }))

const rows: [KeepOptions, string[], number][] = [
  [{}, ['a2', 'c1', 'b2'], 2],
  [{ limit: 2 }, ['c1', 'b2'], 3],
  [{ policy: 'oldestFirst' }, ['a1', 'b1', 'a2', 'c1', 'b2'], 0],
  [{ policy: 'oldestFirst', limit: 3 }, ['a2', 'c1', 'b2'], 2],
  [{ policy: 'oldestFirst', limit: 0 }, [], 5],
]
test.each(rows)('keep() with %j keeps %j', (options, kept, dropped) => {
  const result = keep(messages, options)
  expect(result.kept.map(({ payload }) => payload)).toEqual(kept)
  expect(result.dropped).toBe(dropped)
})

test('messagesIn() leaves out what is no message', () => {
  expect(messagesIn([messages[0], null, 7, { topic: 'a' }, { topic: 'a', payload: 'x', retain: 1 }])).toEqual(
    [messages[0]],
  )
  expect(messagesIn('nothing')).toEqual([])
})
