import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches } from './filters.ts'
import { SubscriptionIndex } from './subscription-index.ts'

interface Subscriber {
  readonly name: string
}

const subscribers: readonly Subscriber[] = ['ann', 'bob', 'cyd', 'dan'].map((name) => ({ name }))
const [ann, bob] = subscribers as [Subscriber, Subscriber]

function namesFor(index: SubscriptionIndex<Subscriber>, topic: string): string[] {
  return index
    .match(topic, [])
    .map((subscriber) => subscriber.name)
    .toSorted()
}

describe('SubscriptionIndex', () => {
  it('finds exact, + and # filters, the parent of # too', () => {
    const index = new SubscriptionIndex<Subscriber>()
    index.add('a/b', ann)
    index.add('a/+', bob)
    index.add('a/b/#', ann)
    index.add('#', bob)
    expect(namesFor(index, 'a/b')).toEqual(['ann', 'ann', 'bob', 'bob'])
    expect(namesFor(index, 'a/c')).toEqual(['bob', 'bob'])
    expect(namesFor(index, 'a/b/c/d')).toEqual(['ann', 'bob'])
    expect(namesFor(index, 'x')).toEqual(['bob'])
  })

  it('appends to what the caller has found already', () => {
    const index = new SubscriptionIndex<Subscriber>()
    index.add('a', ann)
    expect(index.match('a', [bob])).toEqual([bob, ann])
  })

  it('leaves topics with $ alone at the first level only [MQTT-4.7.2-1]', () => {
    const index = new SubscriptionIndex<Subscriber>()
    for (const filter of ['#', '+/x', '+/#', '+']) index.add(filter, ann)
    expect(namesFor(index, '$SYS/x')).toEqual([])
    expect(namesFor(index, '$SYS')).toEqual([])
    index.add('$SYS/#', bob)
    index.add('$SYS/+', ann)
    expect(namesFor(index, '$SYS/x')).toEqual(['ann', 'bob'])
    index.add('a/#', bob)
    index.add('a/+/b', ann)
    expect(namesFor(index, 'a/$x/b')).toEqual(['ann', 'ann', 'ann', 'bob'])
  })

  it('tells empty levels apart', () => {
    const index = new SubscriptionIndex<Subscriber>()
    for (const filter of ['/', '//', '/a', 'a/', '+/+']) index.add(filter, { name: filter })
    expect(namesFor(index, '/')).toEqual(['+/+', '/'])
    expect(namesFor(index, '//')).toEqual(['//'])
    expect(namesFor(index, 'a/')).toEqual(['+/+', 'a/'])
    expect(namesFor(index, '/a')).toEqual(['+/+', '/a'])
    expect(namesFor(index, 'a')).toEqual([])
  })

  it('holds one subscriber once for each filter', () => {
    const index = new SubscriptionIndex<Subscriber>()
    for (let i = 0; i < 3; i++) index.add('a', ann)
    index.add('a', bob)
    index.add('a', bob)
    expect(index.size).toBe(2)
    expect(namesFor(index, 'a')).toEqual(['ann', 'bob'])
    expect(index.remove('a', ann)).toBe(true)
    expect(index.remove('a', ann)).toBe(false)
    expect(namesFor(index, 'a')).toEqual(['bob'])
  })

  it('takes away only what is there', () => {
    const index = new SubscriptionIndex<Subscriber>()
    index.add('a/b/c', ann)
    for (const filter of ['a', 'a/b', 'a/b/c/d', 'a/b/x', 'x', 'a/b/', 'a//c'])
      expect(index.remove(filter, ann)).toBe(false)
    expect(index.remove('a/b/c', bob)).toBe(false)
    expect(index.size).toBe(1)
    expect(namesFor(index, 'a/b/c')).toEqual(['ann'])
  })

  it('changes its generation with each change, and only then', () => {
    const index = new SubscriptionIndex<Subscriber>()
    const first = index.generation
    index.add('a', ann)
    const second = index.generation
    expect(second).not.toBe(first)
    index.remove('b', ann)
    expect(index.generation).toBe(second)
    index.remove('a', ann)
    expect(index.generation).not.toBe(second)
  })

  it('is empty again when everything was taken away', () => {
    const index = new SubscriptionIndex<Subscriber>()
    const filters = ['a', 'a/b', 'a/b/c', 'a/+/c', 'a/b/#', 'x/y/z', 'x/y', '#', '+/+', '/']
    for (const filter of filters) index.add(filter, ann)
    for (const filter of filters) expect(index.remove(filter, ann)).toBe(true)
    expect(index.size).toBe(0)
    const { root } = index as unknown as { root: { children: unknown } }
    expect(root.children).toBeUndefined()
  })

  it('finds what matching each filter finds, through any adding and taking away', () => {
    const level = fc.constantFrom('', 'a', 'b', 'c', '$x', '+')
    const filter = fc
      .tuple(fc.array(level, { maxLength: 4 }), fc.constantFrom('#', '+', 'a', 'b', ''))
      .map(([levels, last]) => [...levels, last].join('/'))
      .map((s) => (s === '' ? 'a' : s))
    const topic = fc
      .array(fc.constantFrom('', 'a', 'b', 'c', '$x'), { minLength: 1, maxLength: 5 })
      .map((levels) => levels.join('/'))
      .map((s) => (s === '' ? 'a' : s))
    const step = fc.record({ add: fc.integer({ min: 0, max: 2 }), filter, who: fc.nat(3), known: fc.nat() })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(topic, { minLength: 1, maxLength: 12 }),
        (steps, topics) => {
          const index = new SubscriptionIndex<Subscriber>()
          const held = new Map<string, Set<Subscriber>>()
          for (const { add, filter, who, known } of steps) {
            const subscriber = subscribers[who] as Subscriber
            if (add > 0) {
              index.add(filter, subscriber)
              held.set(filter, (held.get(filter) ?? new Set()).add(subscriber))
            } else {
              const filters = [...held.keys(), filter]
              const chosen = filters[known % filters.length] as string
              expect(index.remove(chosen, subscriber)).toBe(held.get(chosen)?.delete(subscriber) ?? false)
            }
          }
          expect(index.size).toBe([...held.values()].reduce((sum, set) => sum + set.size, 0))
          for (const t of topics) {
            const expected = [...held].flatMap(([f, set]) =>
              matches(f, t) ? [...set].map((s) => s.name) : [],
            )
            expect(namesFor(index, t)).toEqual(expected.toSorted())
          }
        },
      ),
      { numRuns: 1500 },
    )
  })
})
