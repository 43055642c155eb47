import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkTopicFilter,
  matches,
  parseSharedFilter,
  sharedFilterFault,
  topicFilterFault,
  wildcardFault,
} from './filters.ts'

describe('matches()', () => {
  /** The examples of MQTT 5.0, 4.7 and the corners around them. */
  it.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/tennis/player1/#', 'sport/tennis/player10', false],
    ['sport/#', 'sport', true],
    ['sport/#', 'sports', false],
    ['sport/#', 'spor', false],
    ['#', 'a', true],
    ['#', '/', true],
    ['#', 'a/b/c', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['+', 'finance', true],
    ['+/tennis/#', 'sport/tennis', true],
    ['+/tennis/#', 'sport/tennis/x/y', true],
    ['sport/+/player1', 'sport/tennis/player1', true],
    ['sport/+/player1', 'sport//player1', true],
    ['sport/+/player1', 'sport/a/b/player1', false],
    ['+/#', 'a', true],
    ['+/#', '/', true],
    ['a//b', 'a//b', true],
    ['a//b', 'a/b', false],
    ['a/', 'a', false],
    ['a', 'a/', false],
    ['/', '/', true],
    ['/', '//', false],
    ['//', '//', true],
    ['/#', '/', true],
    ['/#', '/a', true],
    ['/#', 'a', false],
    ['ACCOUNTS', 'Accounts', false],
    ['Accounts payable', 'Accounts payable', true],
    ['#', '$SYS/monitor/Clients', false],
    ['+/monitor/Clients', '$SYS/monitor/Clients', false],
    ['+', '$SYS', false],
    ['$SYS/#', '$SYS/monitor/Clients', true],
    ['$SYS/#', '$SYS', true],
    ['$SYS/monitor/+', '$SYS/monitor/Clients', true],
    ['a/+', 'a/$b', true],
    ['a/#', 'a/$b', true],
    ['ä/+', 'ä/ö', true],
    ['🌡/#', '🌡', true],
  ])('%s and %s: %s', (filter, topic, expected) => {
    expect(matches(filter, topic)).toBe(expected)
  })

  it('agrees with the definition, level by level', () => {
    const topic = fc
      .array(fc.constantFrom('', 'a', 'b', '$x', 'ab'), { minLength: 1, maxLength: 5 })
      .map((levels) => levels.join('/'))
    const filter = fc
      .tuple(
        fc.array(fc.constantFrom('', 'a', 'b', '$x', 'ab', '+', '+'), { maxLength: 4 }),
        fc.constantFrom('#', '+', 'a', ''),
      )
      .map(([levels, last]) => [...levels, last].join('/'))
    fc.assert(
      fc.property(filter, topic, (f, t) => {
        if (f !== '' && t !== '') expect(matches(f, t)).toBe(matchesByDefinition(f, t))
      }),
      { numRuns: 5000 },
    )
  })

  it('any topic matches itself, and # unless it begins with $', () => {
    const topic = fc.string({ minLength: 1, maxLength: 20 }).map((s) => s.replaceAll(/[+#]/g, '_'))
    fc.assert(
      fc.property(topic, (t) => {
        expect(matches(t, t)).toBe(true)
        expect(matches('#', t)).toBe(!t.startsWith('$'))
        expect(matches(`${t}/#`, t)).toBe(true)
        expect(matches(`${t}/+`, t)).toBe(false)
        expect(matches(`${t}/#`, `${t}/x`)).toBe(true)
      }),
    )
  })
})

/** 4.7.1 as it reads, without care for speed. */
export function matchesByDefinition(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true
    if (i >= levels.length) return false
    if (level !== '+' && level !== levels[i]) return false
    if (i === levels.length - 1 && wanted.length === i + 2 && wanted[i + 1] === '#') return true
  }
  return wanted.length === levels.length
}

describe('topicFilterFault()', () => {
  it.each([
    'a',
    '/',
    '#',
    '+',
    '+/#',
    'a/+/b',
    '/#',
    '//',
    'a b',
    '$SYS/#',
    '$share/g/a',
    '$share/g/#',
    '$share/g//',
    '$SHARE/',
    '$share',
    '$shared/x',
  ])('finds none in %s', (filter) => {
    expect(topicFilterFault(filter)).toBeUndefined()
    expect(() => checkTopicFilter(filter)).not.toThrow()
  })

  it.each([
    '',
    'a#',
    'a/#/b',
    '#/',
    '+a',
    'a+',
    'a/b+',
    '#+',
    '$share/',
    '$share/g',
    '$share/g/',
    '$share//a',
    '$share/+/a',
    '$share/#',
    '$share/#/a',
    '$share/g/a#',
  ])('finds one in %j', (filter) => {
    expect(topicFilterFault(filter)).toMatch(/\w/)
    expect(() => checkTopicFilter(filter)).toThrow(RangeError)
  })

  it('tells faults of wildcards from those of shared filters', () => {
    expect(wildcardFault('$share/+/a')).toBeUndefined()
    expect(sharedFilterFault('$share/+/a')).toMatch('ShareName')
    expect(wildcardFault('$share/#/a')).toMatch('#')
    expect(sharedFilterFault('a/#/b')).toBeUndefined()
  })

  it('refuses what is no string, and what UTF-8 cannot carry', () => {
    expect(() => checkTopicFilter(7 as unknown as string)).toThrow(TypeError)
    expect(() => checkTopicFilter('a\0')).toThrow(RangeError)
    expect(() => checkTopicFilter('a'.repeat(65536))).toThrow(RangeError)
  })
})

describe('parseSharedFilter()', () => {
  it.each([
    ['$share/g/a', { shareName: 'g', topicFilter: 'a' }],
    ['$share/group one/+/b/#', { shareName: 'group one', topicFilter: '+/b/#' }],
    ['$share/g//finance', { shareName: 'g', topicFilter: '/finance' }],
    ['$share/g', undefined],
    ['$share//a', undefined],
    ['$share/g/', undefined],
    ['$share/+/a', undefined],
    ['a/$share/g/b', undefined],
    ['$shared/g/a', undefined],
  ])('%s', (filter, expected) => {
    expect(parseSharedFilter(filter)).toEqual(expected)
  })
})
