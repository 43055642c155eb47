import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../errors.ts'
import { Inbound } from './inbound.ts'

describe('Inbound', () => {
  it('takes a QoS 1 message until its PUBACK is sent', () => {
    const inbound = new Inbound<string>(2)
    inbound.publishQoS1(1)
    expect(inbound.unacknowledged).toBe(1)
    expect(() => inbound.publishQoS1(1)).toThrow(ProtocolError)
    inbound.acknowledged(1)
    inbound.acknowledged(1)
    expect(inbound.unacknowledged).toBe(0)
    // The identifier means a new message now [MQTT-4.3.2-5].
    inbound.publishQoS1(1)
  })

  it('takes a QoS 2 message once, however often it comes, until PUBREL [MQTT-4.3.3-10]', () => {
    const inbound = new Inbound<string>(5)
    expect(inbound.publishQoS2(1, 'first')).toBe(true)
    expect(inbound.publishQoS2(1, 'copy')).toBe(false)
    expect(inbound.publishQoS2(1, 'copy')).toBe(false)
    expect(inbound.has(1)).toBe(true)
    expect(inbound.message(1)).toBe('first')
    expect(inbound.pubrel(1)).toBe(true)
    expect(inbound.pubrel(1)).toBe(false)
    expect(inbound.has(1)).toBe(false)
    expect(inbound.publishQoS2(1, 'second')).toBe(true)
  })

  it('forgets a QoS 2 message whose PUBREC refuses it [MQTT-4.3.3-9]', () => {
    const inbound = new Inbound<string>(1)
    inbound.publishQoS2(1, 'm')
    inbound.refused(1)
    inbound.refused(1)
    expect(inbound.unacknowledged).toBe(0)
    expect(inbound.publishQoS2(1, 'another')).toBe(true)
  })

  it('refuses an identifier that is in use at the other QoS', () => {
    const inbound = new Inbound<string>()
    inbound.publishQoS1(1)
    expect(() => inbound.publishQoS2(1, 'm')).toThrow(ProtocolError)
    inbound.publishQoS2(2, 'm')
    expect(() => inbound.publishQoS1(2)).toThrow(ProtocolError)
    inbound.acknowledged(2)
    inbound.refused(1)
    expect(inbound.pubrel(1)).toBe(false)
    expect(inbound.unacknowledged).toBe(2)
  })

  it('refuses more than Receive Maximum with 0x93, QoS 1 and 2 together', () => {
    const inbound = new Inbound<string>(2)
    inbound.publishQoS1(1)
    inbound.publishQoS2(2, 'm')
    for (const one of [() => inbound.publishQoS1(3), () => inbound.publishQoS2(3, 'm')]) {
      expect(one).toThrow(expect.objectContaining({ code: 'PROTOCOL_ERROR', reasonCode: 0x93 }))
    }
    // A copy is no further message.
    expect(inbound.publishQoS2(2, 'm')).toBe(false)
    inbound.acknowledged(1)
    inbound.publishQoS1(3)
    expect(() => inbound.publishQoS1(4)).toThrow(ProtocolError)
    inbound.pubrel(2)
    inbound.publishQoS1(4)
  })

  it('keeps QoS 2 identifiers over a new connection, which has a Receive Maximum of its own', () => {
    const inbound = new Inbound<string>(3)
    inbound.publishQoS2(7, 'a')
    inbound.publishQoS1(1)
    inbound.publishQoS2(3, 'b')
    inbound.connect(1)
    expect(inbound.receiveMaximum).toBe(1)
    expect(inbound.awaitingPubrel()).toEqual([7, 3])
    // Sent again: known, and not counted.
    expect(inbound.publishQoS2(7, 'a')).toBe(false)
    expect(inbound.publishQoS2(9, 'c')).toBe(true)
    expect(() => inbound.publishQoS1(1)).toThrow(ProtocolError)
    expect(inbound.pubrel(7)).toBe(true)
    expect(() => inbound.publishQoS1(1)).toThrow(ProtocolError)
    expect(inbound.pubrel(9)).toBe(true)
    inbound.publishQoS1(1)
  })

  it('puts back what an earlier process had received, and changes what is kept with a message', () => {
    const inbound = new Inbound<string>(1)
    inbound.restore(5, 'old')
    expect(inbound.has(5)).toBe(true)
    expect(inbound.publishQoS2(5, 'again')).toBe(false)
    expect(inbound.publishQoS2(6, 'new')).toBe(true)
    inbound.restore(6, 'acknowledged')
    expect(inbound.message(6)).toBe('acknowledged')
    expect(() => inbound.publishQoS2(7, 'more')).toThrow(ProtocolError)
    expect(inbound.pubrel(6)).toBe(true)
    expect(inbound.publishQoS2(7, 'more')).toBe(true)
    inbound.clear()
    expect(inbound.awaitingPubrel()).toEqual([])
    expect(inbound.publishQoS2(8, 'm')).toBe(true)
  })
})
