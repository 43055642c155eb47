import { expect, test } from 'vitest'
import { networkOf } from './network.ts'

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['unix', 'unix'],
  ['unknown', 'unknown'],
  ['[2001:db8:1:2:3:4:5:6]', '[2001:db8:1:2::/64]'],
  ['[2001:db8::1]', '[2001:db8:0:0::/64]'],
  ['[2001:db8::2:3:4:5:6]', '[2001:db8:0:2::/64]'],
  ['[::1]', '[0:0:0:0::/64]'],
  ['[2001:db8::]', '[2001:db8:0:0::/64]'],
  ['[fe80::1%eth0]', '[fe80::1%eth0]'],
])('networkOf(%j) is %j', (address, network) => {
  expect(networkOf(address)).toBe(network)
})
