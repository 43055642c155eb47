import { describe, expect, test } from 'vitest'
import { type CycleCost, ESP32_S3, estimateCharge } from './charge.ts'

const asleep: CycleCost = { awakeMs: 0, radioOnMs: 0, bytesSent: 0, attempts: 0, sleepSeconds: 600 }

describe('estimateCharge()', () => {
  test('of a device that only sleeps is the datasheet’s 7 µA times 24 hours', () => {
    const model = { ...ESP32_S3, bootMs: 0 }
    const estimate = estimateCharge([asleep, asleep], model)
    expect(estimate.mahPerDay).toBeCloseTo(0.168, 9)
    expect(estimate).toMatchObject({ seconds: 1200, cpuMah: 0, radioMah: 0 })
  })

  test('adds what each part of a wake takes', () => {
    // 20 ms with the radio off, 1 s with it on, of which 8 ms sending 1000 bytes.
    const cycle: CycleCost = {
      awakeMs: 1020,
      radioOnMs: 1000,
      bytesSent: 1000,
      attempts: 1,
      sleepSeconds: 3600,
    }
    const { sleepMah, cpuMah, radioMah, totalMah, seconds } = estimateCharge([cycle])
    expect(sleepMah).toBeCloseTo(0.007, 9)
    expect(cpuMah).toBeCloseTo((54.6 * 0.32) / 3600, 9)
    expect(radioMah).toBeCloseTo((88 * 2.5 + (340 - 88) * 0.008) / 3600, 9)
    expect(totalMah).toBeCloseTo(sleepMah + cpuMah + radioMah, 12)
    expect(seconds).toBeCloseTo(3602.82, 9)
  })

  test('of no cycles is nothing', () => {
    expect(estimateCharge([])).toEqual({
      seconds: 0,
      sleepMah: 0,
      cpuMah: 0,
      radioMah: 0,
      totalMah: 0,
      mahPerDay: 0,
    })
  })

  test('tells policies apart: a broker that is away costs less with the policy than without', () => {
    // Ten-minute wakes for a day; each attempt takes 10 s to fail.
    const tried: CycleCost = { ...asleep, attempts: 1, awakeMs: 10_020, radioOnMs: 10_000 }
    const waited: CycleCost = { ...asleep, awakeMs: 20 }
    const always = Array.from({ length: 144 }, () => tried)
    const policy = always.map((_, wake) => (wake % 36 === 0 ? tried : waited))
    const [withPolicy, without] = [estimateCharge(policy).mahPerDay, estimateCharge(always).mahPerDay]
    expect(withPolicy).toBeLessThan(without / 10)
    expect(without).toBeGreaterThan(30)
  })
})
