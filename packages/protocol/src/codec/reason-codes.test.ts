import { describe, expect, it } from 'vitest'
import { isReasonCodeOf, REASON_CODES, reasonCodeName } from './reason-codes.ts'
import { RETURN_CODES, reasonCodeForReturnCode, returnCodeFor } from './return-codes.ts'

/** The codes of each packet, written from its own section of MQTT 5.0. */
const SPECIFIED = {
  CONNACK: '00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f',
  PUBACK: '00 10 80 83 87 90 91 97 99',
  PUBREC: '00 10 80 83 87 90 91 97 99',
  PUBREL: '00 92',
  PUBCOMP: '00 92',
  SUBACK: '00 01 02 80 83 87 8f 91 97 9e a1 a2',
  UNSUBACK: '00 11 80 83 87 8f 91',
  // 8c is in table 2-6 and not in 3.14.2.1.
  DISCONNECT: '00 04 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2',
  AUTH: '00 18 19',
} as const

describe('isReasonCodeOf()', () => {
  it.each(Object.entries(SPECIFIED))('%s', (type, codes) => {
    const allowed = Array.from({ length: 256 }, (_, code) => code).filter((code) =>
      isReasonCodeOf(type as keyof typeof SPECIFIED, code),
    )
    expect(allowed.map((code) => code.toString(16).padStart(2, '0')).join(' ')).toBe(codes)
  })

  it('knows none for packets that carry none', () => {
    for (const type of ['CONNECT', 'PUBLISH', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PINGREQ', 'PINGRESP'] as const) {
      expect(isReasonCodeOf(type, 0)).toBe(false)
    }
    expect(isReasonCodeOf('PUBACK', 256)).toBe(false)
    expect(isReasonCodeOf('PUBACK', -1)).toBe(false)
  })
})

describe('reasonCodeName()', () => {
  it.each([
    [0x00, undefined, 'Success'],
    [0x00, 'SUBACK', 'Granted QoS 0'],
    [0x00, 'DISCONNECT', 'Normal disconnection'],
    [0x87, undefined, 'Not authorized'],
    [0xa2, 'SUBACK', 'Wildcard Subscriptions not supported'],
    [0x7f, undefined, 'Unknown reason code 0x7f'],
    [0x01, 'PUBACK', 'Unknown reason code 0x01'],
  ] as const)('0x%s in %s is %s', (code, type, name) => {
    expect(reasonCodeName(code, type)).toBe(name)
  })

  it('has a name for each code', () => {
    for (const row of REASON_CODES) expect(reasonCodeName(row.code)).not.toMatch('Unknown')
  })
})

describe('returnCodeFor()', () => {
  it('turns a reason code into the return code that says the same, and back', () => {
    for (const { code } of RETURN_CODES) expect(returnCodeFor(reasonCodeForReturnCode(code))).toBe(code)
    expect(reasonCodeForReturnCode(6)).toBe(0x80)
  })

  it.each([
    [0x8a, 5],
    [0x8c, 5],
    [0x89, 3],
    [0x97, 3],
    [0x9f, 3],
    [0x82, undefined],
    [0x95, undefined],
  ])('0x%s is %s', (reasonCode, returnCode) => {
    expect(returnCodeFor(reasonCode)).toBe(returnCode)
  })
})
