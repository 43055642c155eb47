import { describe, expect, test } from 'vitest'
import { Admission } from './admission.ts'
import { DEFAULT_LIMITS } from './options.ts'

describe('Admission.arrive()', () => {
  test('the default bounds of an address are not for this machine itself', () => {
    const admission = new Admission(DEFAULT_LIMITS, () => 0)
    const arrive = (address: string, count: number): number => {
      let refused = 0
      for (let i = 0; i < count; i++) if (typeof admission.arrive(address) === 'string') refused++
      return refused
    }
    for (const own of ['127.0.0.1', '[::1]', 'unix']) expect(arrive(own, 1000)).toBe(0)
    expect(arrive('192.0.2.1', 210)).toBe(10)
    // A network of IPv6 is one address.
    expect(arrive('[2001:db8::1]', 150) + arrive('[2001:db8::2]', 60)).toBe(10)
    expect(arrive('[2001:db8:0:1::1]', 1)).toBe(0)
  })

  test('what is pending is counted until it is settled, once', () => {
    let now = 0
    const admission = new Admission(DEFAULT_LIMITS, () => now)
    const settles: (string | (() => void))[] = []
    for (; now < 5000; now += 1000) {
      for (let i = 0; i < 120; i++) settles.push(admission.arrive('192.0.2.1'))
    }
    expect(settles.filter((each) => typeof each === 'string').length).toBe(100)
    for (let i = 0; i < 2; i++) for (const each of settles) if (typeof each !== 'string') each()
    const again = Array.from({ length: 200 }, () => admission.arrive('192.0.2.1'))
    expect(again.filter((each) => typeof each === 'string')).toEqual([])
  })
})
