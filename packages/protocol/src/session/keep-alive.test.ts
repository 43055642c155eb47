import { describe, expect, it } from 'vitest'
import { KeepAlive } from './keep-alive.ts'

describe('KeepAlive', () => {
  it('pings when nothing was sent for an interval [MQTT-3.1.2-20]', () => {
    const keepAlive = new KeepAlive(10, 0)
    keepAlive.received(9000)
    expect(keepAlive.nextStep()).toBe(10000)
    expect(keepAlive.step(9999)).toBe('wait')
    expect(keepAlive.step(10000)).toBe('ping')
  })

  it('pings when nothing was received for an interval, however much is sent', () => {
    const keepAlive = new KeepAlive(10, 0)
    keepAlive.sent(9000)
    expect(keepAlive.step(10000)).toBe('ping')
  })

  it('waits as long as both sides talk', () => {
    const keepAlive = new KeepAlive(10, 0)
    for (let now = 0; now < 100_000; now += 5000) {
      keepAlive.sent(now)
      keepAlive.received(now)
      expect(keepAlive.step(now + 4999)).toBe('wait')
    }
    expect(keepAlive.nextStep()).toBe(105_000)
  })

  it('is dead half an interval after a ping that nothing answers: 1.5 intervals in all', () => {
    const keepAlive = new KeepAlive(10, 0)
    keepAlive.pinged(10_000)
    expect(keepAlive.nextStep()).toBe(15_000)
    expect(keepAlive.step(14_999)).toBe('wait')
    // Pinging once more does not put it off.
    keepAlive.pinged(14_999)
    expect(keepAlive.step(15_000)).toBe('dead')
  })

  it('lives on when anything comes after a ping', () => {
    const keepAlive = new KeepAlive(10, 0)
    keepAlive.pinged(10_000)
    keepAlive.received(14_000)
    expect(keepAlive.step(15_000)).toBe('wait')
    expect(keepAlive.nextStep()).toBe(20_000)
  })

  it('never does anything when it is off', () => {
    const keepAlive = new KeepAlive(0, 0)
    expect(keepAlive.step(1e12)).toBe('wait')
    expect(keepAlive.nextStep()).toBe(Number.POSITIVE_INFINITY)
  })
})
