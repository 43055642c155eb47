import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Route } from './route.ts'
import { hashOf, RouteTable } from './route-table.ts'

function lookUp(table: RouteTable, topic: string): Route | undefined {
  // Somewhere in a chunk, as topics come.
  const bytes = Buffer.from(`xyz${topic}xyz`)
  const length = bytes.length - 6
  return table.find(bytes, 3, length, hashOf(bytes, 3, length))
}

function add(table: RouteTable, topic: string): Route {
  const route = new Route(topic, 'always')
  table.add(route, Buffer.from(topic))
  return route
}

describe('RouteTable', () => {
  test('finds each topic that was added, and no other, however many there are', () => {
    const table = new RouteTable()
    const routes = new Map<string, Route>()
    for (let i = 0; i < 20_000; i++) routes.set(`a/${i}/x`, add(table, `a/${i}/x`))
    for (const [topic, route] of routes) expect(lookUp(table, topic)).toBe(route)
    expect(lookUp(table, 'a/20000/x')).toBeUndefined()
    expect(table.size).toBe(20_000)
    table.clear()
    expect(table.size).toBe(0)
    expect(lookUp(table, 'a/1/x')).toBeUndefined()
    const again = add(table, 'a/1/x')
    expect(lookUp(table, 'a/1/x')).toBe(again)
  })

  test('tells topics apart whose hashes are alike', () => {
    const table = new RouteTable()
    const one = add(table, 'a')
    const bytes = Buffer.from('b')
    expect(table.find(bytes, 0, 1, hashOf(Buffer.from('a'), 0, 1))).toBeUndefined()
    expect(lookUp(table, 'a')).toBe(one)
  })

  test('is a map from topics to routes', () => {
    const topics = fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 60 })
    fc.assert(
      fc.property(topics, topics, (known, asked) => {
        const table = new RouteTable()
        const routes = new Map(known.map((topic) => [topic, add(table, topic)]))
        for (const topic of [...known, ...asked]) expect(lookUp(table, topic)).toBe(routes.get(topic))
      }),
    )
  })

  test('hashOf() depends on every byte and on the length', () => {
    const of = (text: string): number => hashOf(Buffer.from(text), 0, text.length)
    const all = ['a', 'aa', 'abcd', 'abce', 'bbcd', 'abcda', 'abcdb', 'abcd\0'].map(of)
    expect(new Set(all).size).toBe(all.length)
    for (const hash of all) expect(hash).toBe(hash & 0xfffffff)
  })

  test('hashOf() spreads topics that are numbered over the slots of a table', () => {
    for (const topicOf of [
      (i: number) => `load/p2p/${i}`,
      (i: number) => `a/${i}/temp/x`,
      (i: number) => `${i}`,
    ]) {
      const topics = Array.from({ length: 10_000 }, (_, i) => Buffer.from(topicOf(i)))
      const slots = new Set(topics.map((bytes) => hashOf(bytes, 0, bytes.length) & 0xffff))
      // Chance alone fills 9,276 of the 65,536.
      expect(slots.size).toBeGreaterThan(9_000)
    }
  })
})
