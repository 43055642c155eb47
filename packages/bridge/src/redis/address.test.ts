import { describe, expect, test } from 'vitest'
import { parseRedisAddress } from './address.ts'

const ONE = { username: undefined, password: undefined, database: 0, tls: false, isCluster: false }

describe('parseRedisAddress()', () => {
  test.each([
    [
      'redis://127.0.0.1',
      {
        ...ONE,
        hosts: [{ host: '127.0.0.1', port: 6379 }],
        name: 'bridge',
        label: 'redis://127.0.0.1/0',
      },
    ],
    [
      'rediss://ann:p%40ss%3A@queue.example:6380/3?name=shop',
      {
        hosts: [{ host: 'queue.example', port: 6380 }],
        username: 'ann',
        password: 'p@ss:',
        database: 3,
        tls: true,
        isCluster: false,
        name: 'shop',
        label: 'rediss://queue.example:6380/3',
      },
    ],
    [
      'redis://:secret@[::1]:7000/',
      { hosts: [{ host: '::1', port: 7000 }], password: 'secret', database: 0 },
    ],
    [
      'redis://one:1,two:2',
      {
        hosts: [
          { host: 'one', port: 1 },
          { host: 'two', port: 2 },
        ],
        isCluster: true,
      },
    ],
    ['redis://one?cluster', { isCluster: true }],
    ['redis://one?cluster=false', { isCluster: false }],
  ])('%s', (text, address) => {
    expect(parseRedisAddress(text)).toMatchObject(address)
  })

  test.each([
    ['redis://', 'no host and port'],
    ['redis://host:0', 'no host and port'],
    ['redis://host:70000', 'no host and port'],
    ['redis://host/x', 'the database of a Redis is a number'],
    ['redis://host?colour=red', 'there are: name, cluster'],
    ['redis://host?name=a b', 'the name of a bridge'],
    ['redis://host/1?cluster', 'database 0 only'],
    ['http://host', 'no address of a Redis'],
    ['redis://:%zz@host', 'percent-encoded'],
  ])('%s is refused: %s', (text, words) => {
    expect(() => parseRedisAddress(text)).toThrow(words)
  })

  test.each(['/', '?', '#', '@', ':/', '/12?', '1/2@', '%'])(
    'a password with %s in it that is not encoded is in no message',
    (sign) => {
      for (const user of ['', 'ann']) {
        const text = `redis://${user}:left${sign}right@host:6379/0`
        let said = ''
        try {
          const { password, hosts, label } = parseRedisAddress(text)
          expect([password, hosts]).toEqual([`left${sign}right`, [{ host: 'host', port: 6379 }]])
          said = label
        } catch (error) {
          said = (error as Error).message
        }
        expect(said).not.toMatch(/left|right/)
      }
    },
  )
})
