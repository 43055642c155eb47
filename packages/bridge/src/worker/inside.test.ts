import { describe, expect, test } from 'vitest'
import { isInside, isInsideHost, lookupOutside } from './inside.ts'

describe('isInside()', () => {
  test.each([
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.168.1.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12::1', 'ff02::1', '::ffff:127.0.0.1'],
    ...[
      '::ffff:a00:1',
      '::7f00:1',
      '64:ff9b::10.0.0.1',
      '64:ff9b::a9fe:a9fe',
      '2002:7f00:1::',
      '2001:0:1::1',
    ],
    ...['', 'no address'],
  ])('%s is', (address) => {
    expect(isInside(address)).toBe(true)
  })

  test.each([
    ...['1.1.1.1', '9.255.255.255', '11.0.0.1', '172.32.0.1', '172.15.255.255', '192.167.0.1', '100.128.0.1'],
    ...['2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '2a00::1'],
  ])('%s is not', (address) => {
    expect(isInside(address)).toBe(false)
  })
})

describe('isInsideHost()', () => {
  test.each([
    ['http://localhost/', true],
    ['http://LOCALHOST./', true],
    ['http://a.localhost:80/', true],
    ['http://127.1/', true],
    ['http://2130706433/', true],
    ['http://0x7f.0.0.1/', true],
    ['http://[::1]/', true],
    ['http://[::ffff:10.0.0.1]:8080/', true],
    ['http://example.org/', false],
    ['http://8.8.8.8/', false],
    ['http://localhost.example.org/', false],
  ])('%s: %s', (url, expected) => {
    expect(isInsideHost(new URL(url).hostname)).toBe(expected)
  })
})

test('lookupOutside() gives no address inside to whom connects', async () => {
  for (const all of [true, false]) {
    const error = await new Promise((resolve) => lookupOutside('localhost', { all }, resolve))
    expect(error).toMatchObject({ message: expect.stringMatching(/^localhost is inside/) })
  }
})
