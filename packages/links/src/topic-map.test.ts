import { describe, expect, test } from 'vitest'
import { TopicMap } from './topic-map.ts'

describe('TopicMap', () => {
  // The table of mosquitto.conf(5): pattern, local and remote prefix, and what the topics are called.
  test.each([
    ['pattern', 'L/', 'R/', 'L/pattern', 'R/pattern'],
    ['pattern', 'L/', undefined, 'L/pattern', 'pattern'],
    ['pattern', undefined, 'R/', 'pattern', 'R/pattern'],
    ['pattern', undefined, undefined, 'pattern', 'pattern'],
    [undefined, 'local', 'remote', 'local', 'remote'],
  ] as const)('%s, %s, %s: %s is %s', (pattern, localPrefix, remotePrefix, local, remote) => {
    const topic = {
      direction: 'both' as const,
      ...(pattern !== undefined && { pattern }),
      ...(localPrefix !== undefined && { localPrefix }),
      ...(remotePrefix !== undefined && { remotePrefix }),
    }
    const map = new TopicMap([topic])
    expect(map.outgoing(local)).toBe(remote)
    expect(map.incoming(remote)).toBe(local)
    expect(map.local).toEqual([{ filter: local, qos: 0 }])
    expect(map.remote).toEqual([{ filter: remote, qos: 0 }])
  })

  test('wildcards: the prefix is exchanged, the rest stays', () => {
    const map = new TopicMap([
      { pattern: '+/x/#', direction: 'both', localPrefix: 'l/', remotePrefix: 'r/s/' },
    ])
    expect(map.outgoing('l/a/x/b/c')).toBe('r/s/a/x/b/c')
    expect(map.incoming('r/s/a/x')).toBe('l/a/x')
    expect(map.outgoing('l/a/y')).toBeUndefined()
    expect(map.incoming('l/a/x')).toBeUndefined()
  })

  test('only what goes a way is carried that way', () => {
    const map = new TopicMap([{ pattern: 'o' }, { pattern: 'i', direction: 'in' }])
    expect([map.outgoing('o'), map.outgoing('i'), map.incoming('i'), map.incoming('o')]).toEqual([
      'o',
      undefined,
      'i',
      undefined,
    ])
  })

  test('the first that matches counts, and a filter is subscribed to once, at its highest QoS', () => {
    const map = new TopicMap([
      { pattern: 'a/#', qos: 1, remotePrefix: '1/' },
      { pattern: '#', qos: 0, remotePrefix: '2/' },
      { pattern: 'a/#', qos: 2, remotePrefix: '3/' },
    ])
    expect(map.outgoing('a/b')).toBe('1/a/b')
    expect(map.outgoing('b')).toBe('2/b')
    expect(map.local).toEqual([
      { filter: 'a/#', qos: 2 },
      { filter: '#', qos: 0 },
    ])
  })

  test('outOnly: what an earlier configuration may have subscribed to there', () => {
    const map = new TopicMap([{ pattern: 'a' }, { pattern: 'b' }, { pattern: 'b', direction: 'in' }])
    expect(map.outOnly).toEqual(['a'])
  })
})
