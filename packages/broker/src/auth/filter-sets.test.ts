import { matches } from '@pipit/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { covers, intersection } from './filter-sets.ts'

const level = fc.constantFrom('a', 'b', '', '$s', '+')
const filter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))
const anyFilter = fc.oneof(filter, fc.constant('#'))
const topic = fc
  .array(fc.constantFrom('a', 'b', '', '$s', 'c'), { minLength: 1, maxLength: 6 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '')

describe('filters as sets of topics', () => {
  test('intersection() matches what both match, and nothing else', () => {
    fc.assert(
      fc.property(anyFilter, anyFilter, topic, (a, b, name) => {
        const both = intersection(a, b)
        const expected = matches(a, name) && matches(b, name)
        expect(both !== undefined && matches(both, name)).toBe(expected)
      }),
    )
  })

  test('covers() is right when it says yes, and says yes of a filter to itself', () => {
    fc.assert(
      fc.property(anyFilter, anyFilter, topic, (outer, inner, name) => {
        expect(covers(inner, inner)).toBe(true)
        if (covers(outer, inner) && matches(inner, name)) expect(matches(outer, name)).toBe(true)
      }),
    )
  })

  test.each([
    ['a/#', 'a', true],
    ['a/#', 'a/+', true],
    ['+/b', 'a/b', true],
    ['a', 'a/#', false],
    ['+', '#', false],
    ['#', '$SYS/x', false],
  ])('covers(%s, %s) is %s', (outer, inner, expected) => {
    expect(covers(outer, inner)).toBe(expected)
  })
})
