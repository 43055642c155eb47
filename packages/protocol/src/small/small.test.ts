import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as utf8 from '../codec/utf8.ts'
import { PacketIdTable } from '../session/packet-id-table.ts'
import * as filters from '../topics/filters.ts'
import * as names from '../topics/names.ts'
import { SubscriptionIndex } from '../topics/subscription-index.ts'
import * as smallFilters from './filters.ts'
import { checkTopicName } from './names.ts'
import { PacketIdTable as SmallTable } from './packet-id-table.ts'
import { SubscriptionIndex as SmallIndex } from './subscription-index.ts'
import * as small from './utf8.ts'

/** What a call gives, or the kind of what it throws. */
function outcome(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return (error as Error).name
  }
}

describe("A page's small modules do as the fast ones", () => {
  it('decodeUtf8 takes and refuses the same bytes', () => {
    const text = fc.string({ unit: 'binary' }).map((string) => new TextEncoder().encode(string))
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 12 }), text)
    fc.assert(
      fc.property(bytes, fc.boolean(), (data, strict) => {
        expect(outcome(() => small.decodeUtf8(data, 0, data.length, 'it', strict))).toEqual(
          outcome(() => utf8.decodeUtf8(data, 0, data.length, 'it', strict)),
        )
      }),
      { numRuns: 2000 },
    )
  })

  it('decodeUtf8 says the same of every single character', () => {
    for (let point = 0; point <= 0x10ffff; point += point < 0x3000 || point >= 0xd700 ? 1 : 7) {
      if (point > 0xffff && (point & 0xffff) === 0x100) point = (point & ~0xffff) + 0xff00
      const length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
      const data = new Uint8Array(length)
      for (let i = length - 1; i > 0; i--) data[i] = 0x80 | ((point >> (6 * (length - 1 - i))) & 0x3f)
      data[0] = [0, 0, 0xc0, 0xe0, 0xf0][length]! | (point >> (6 * (length - 1)))
      for (const strict of [true, false]) {
        const [is, wanted] = [small, utf8].map(({ decodeUtf8 }) =>
          outcome(() => decodeUtf8(data, 0, length, 'it', strict)),
        )
        if (is !== wanted) expect.unreachable(`U+${point.toString(16)}: ${is} instead of ${wanted}`)
      }
    }
  })

  it('utf8Length and writeUtf8 give the same bytes', () => {
    const strings = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\ud800', 'a\udc00', '\0'))
    fc.assert(
      fc.property(strings, (text) => {
        const length = outcome(() => utf8.utf8Length(text, 'it'))
        expect(outcome(() => small.utf8Length(text, 'it'))).toEqual(length)
        if (typeof length !== 'number') return
        const [one, other] = [new Uint8Array(length + 3), new Uint8Array(length + 3)]
        expect(small.writeUtf8(one, 3, text)).toBe(utf8.writeUtf8(other, 3, text))
        expect(one).toEqual(other)
      }),
    )
    expect(() => small.utf8Length('x'.repeat(65536), 'it')).toThrow(RangeError)
  })

  it('PacketIdTable holds the same', () => {
    const packetId = fc.integer({ min: 1, max: 9 })
    const operation = fc.tuple(fc.nat({ max: 5 }), packetId)
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const tables = [new PacketIdTable<string>(), new SmallTable<string>()] as const
        const seen = tables.map((table) =>
          operations.map(([kind, id], step) => {
            if (kind === 0) table.allocate(`${step}`, 1)
            else if (kind === 1) table.set(id, `${step}`, 2)
            else if (kind === 2) table.setState(id, 3)
            else if (kind === 3) table.delete(id)
            else if (kind === 4) table.restart()
            else if (id === 9) table.clear()
            return [table.size, table.inOrder(), table.state(id), table.value(id)]
          }),
        )
        expect(seen[1]).toEqual(seen[0])
      }),
    )
  })

  it('SubscriptionIndex finds the same', () => {
    const level = fc.constantFrom('a', 'b', '', '+', '$x')
    const levels = fc.array(level, { minLength: 1, maxLength: 4 })
    const filter = fc
      .tuple(levels, fc.boolean())
      .map(([names, rest]) => (rest ? [...names, '#'] : names).join('/') || 'a')
    const topic = levels.map((names) => names.join('/').replaceAll('+', 'a') || 'a')
    fc.assert(
      fc.property(fc.array(fc.tuple(filter, fc.boolean())), fc.array(topic), (changes, topics) => {
        const subscribers = [{ id: 0 }, { id: 1 }]
        const [one, other] = [new SubscriptionIndex<object>(), new SmallIndex<object>()]
        changes.forEach(([each, stays], i) => {
          const subscriber = subscribers[i % 2]!
          for (const index of [one, other]) {
            index.add(each, subscriber)
            if (!stays) index.remove(each, subscriber)
          }
        })
        const found = (index: { match(topic: string, found: object[]): object[] }) =>
          topics.map((each) =>
            index
              .match(each, [])
              .map((s) => (s as { id: number }).id)
              .sort(),
          )
        expect(found(other)).toEqual(found(one))
      }),
    )
  })

  it('checkTopicName, checkTopicFilter, parseSharedFilter and matches say the same', () => {
    const level = fc.constantFrom('a', 'b', '', '+', '#', '$share', '$share', 'g', '$x', 'a+', '#b', '\n')
    const levels = fc.array(level, { maxLength: 5 }).map((each) => each.join('/'))
    const name = levels.map((each) => each.replaceAll(/[+#]/g, 'a'))
    fc.assert(
      fc.property(levels, name, (filter, topic) => {
        expect(outcome(() => checkTopicName(filter))).toEqual(outcome(() => names.checkTopicName(filter)))
        const fault = outcome(() => filters.checkTopicFilter(filter))
        expect(outcome(() => smallFilters.checkTopicFilter(filter))).toEqual(fault)
        expect(smallFilters.parseSharedFilter(filter)).toEqual(filters.parseSharedFilter(filter))
        if (fault !== undefined) return
        expect(smallFilters.matches(filter, topic)).toBe(filters.matches(filter, topic))
      }),
      { numRuns: 5000 },
    )
  })
})
