import { describe, expect, it } from 'vitest'
import { SendQuota } from './quota.ts'

describe('SendQuota', () => {
  it('is never above its first value [MQTT-4.9.0-1]', () => {
    const quota = new SendQuota(2)
    quota.give()
    expect(quota.available).toBe(2)
    quota.take()
    quota.take()
    expect(quota.available).toBe(0)
    for (let i = 0; i < 5; i++) quota.give()
    expect(quota.available).toBe(2)
  })

  it('is 65535 when the peer names no Receive Maximum', () => {
    expect(new SendQuota().available).toBe(65535)
  })

  it('begins anew with each connection', () => {
    const quota = new SendQuota(5)
    quota.take()
    quota.reset(3)
    expect([quota.available, quota.maximum]).toEqual([3, 3])
  })
})
