import { describe, expect, it } from 'vitest'
import { MalformedPacketError, MqttError, ProtocolError } from './errors.ts'

describe('MqttError', () => {
  it('carries a stable code, the reason code and the cause', () => {
    const cause = new Error('why')
    const error = new MqttError('SOME_CODE', 'what', { reasonCode: 0x87, cause })
    expect(error).toMatchObject({
      code: 'SOME_CODE',
      message: 'what',
      reasonCode: 0x87,
      cause,
      name: 'MqttError',
    })
    expect('cause' in new MqttError('X', 'y')).toBe(false)
    expect(new MqttError('X', 'y').reasonCode).toBeUndefined()
  })

  it('has one class for each way a packet can be wrong', () => {
    const malformed = new MalformedPacketError('m')
    const protocol = new ProtocolError('p')
    expect(malformed).toBeInstanceOf(MqttError)
    expect(malformed).toMatchObject({
      name: 'MalformedPacketError',
      code: 'MALFORMED_PACKET',
      reasonCode: 0x81,
    })
    expect(protocol).toMatchObject({ name: 'ProtocolError', code: 'PROTOCOL_ERROR', reasonCode: 0x82 })
    expect(new ProtocolError('p', 0x94).reasonCode).toBe(0x94)
  })
})
