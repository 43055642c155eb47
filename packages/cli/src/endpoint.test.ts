import { expect, test } from 'vitest'
import { readEndpoint, readTls, withoutPassword } from './endpoint.ts'

test.each([
  ['mqtts://u:p@host:1', 'mqtts://…@host:1'],
  ['mqtt:/u:p/q@host', 'mqtt:/…@host'],
  ['u:p@w@host', '…@host'],
  ['mqtt://host', 'mqtt://host'],
])('withoutPassword(%j) is %j', (text, printed) => {
  expect(withoutPassword(text)).toBe(printed)
})

test('readEndpoint() gives the parts of a URL, and complains without its password', () => {
  expect(readEndpoint('-L', 'wss://us%40er:p%3A@[::1]:81/mqtt?x=1', 'a URL')).toEqual({
    scheme: 'wss',
    host: '::1',
    port: 81,
    username: 'us@er',
    password: 'p:',
    path: '/mqtt?x=1',
    hash: '',
  })
  const complaint = (text: string, schemes?: readonly ['mqtt']): string => {
    try {
      readEndpoint('--broker', text, 'mqtt://host', schemes)
    } catch (error) {
      return String(error)
    }
    return ''
  }
  expect(complaint('mqtt://u:secret@host:99999')).toMatch(
    /--broker is "mqtt:\/\/…@host:99999"; it takes mqtt:/,
  )
  expect(complaint('http://u:secret@host')).toMatch(/--broker: the scheme is http:\/\/; it takes mqtt:/)
  expect(complaint('mqtts://u:secret@host', ['mqtt'])).toMatch(/the scheme is mqtts:/)
})

test('readTls() wants TLS where anything of it is said, or the scheme says so', () => {
  expect(readTls({}, 'mqtt')).toBeUndefined()
  expect(readTls({ insecure: false }, 'ws')).toBeUndefined()
  expect(readTls({ insecure: true }, 'mqtt')).toEqual({ rejectUnauthorized: false })
  expect(readTls({}, 'wss')).toEqual({})
  expect(() => readTls({ cert: 'x' }, 'mqtt')).toThrow('--cert and --key go together')
})
