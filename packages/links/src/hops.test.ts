import { expect, test } from 'vitest'
import { carried, HOP } from './hops.ts'

test('each link adds itself, and properties of one connection stay behind', () => {
  const first = carried({ contentType: 'text/plain', topicAlias: 3, subscriptionIdentifiers: [1] }, 'a')
  expect(first).toEqual({ contentType: 'text/plain', userProperties: [[HOP, 'a']] })
  expect(
    carried(
      {
        ...first,
        userProperties: [
          ['k', 'v'],
          [HOP, 'a'],
        ],
      },
      'b',
    )?.userProperties,
  ).toEqual([
    ['k', 'v'],
    [HOP, 'a'],
    [HOP, 'b'],
  ])
})

test('what has been here before is not carried again', () => {
  expect(
    carried(
      {
        userProperties: [
          [HOP, 'a'],
          [HOP, 'b'],
        ],
      },
      'a',
    ),
  ).toBeUndefined()
  expect(carried({ userProperties: [['other', 'a']] }, 'a')).toBeDefined()
})

test('what has gone through 32 links goes no further', () => {
  const hops = Array.from({ length: 32 }, (_, i) => [HOP, String(i)] as const)
  expect(carried({ userProperties: hops.slice(1) }, 'a')).toBeDefined()
  expect(carried({ userProperties: hops }, 'a')).toBeUndefined()
})
