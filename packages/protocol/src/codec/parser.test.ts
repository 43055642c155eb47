import { describe, expect, it } from 'vitest'
import { encode } from './encode.ts'
import { LARGEST_PACKET } from './frames.ts'
import type { Connect, Packet } from './packets.ts'
import { Parser } from './parser.ts'

const connect: Connect = {
  type: 'CONNECT',
  protocolVersion: 4,
  clientId: 'c',
  cleanStart: true,
  keepAlive: 0,
}
const publish: Packet = {
  type: 'PUBLISH',
  topic: 'a/b/c/d',
  payload: Uint8Array.of(1, 2, 3),
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0,
}

describe('Parser', () => {
  it('speaks the version of the CONNECT it reads', () => {
    const parser = new Parser()
    expect(parser.protocolVersion).toBe(5)
    parser.push(Uint8Array.of(...encode(connect, 4), ...encode(publish, 4)))
    expect(parser.next()).toMatchObject({ type: 'CONNECT', clientId: 'c' })
    expect(parser.protocolVersion).toBe(4)
    expect(parser.next()).toMatchObject({ topic: 'a/b/c/d', payload: Uint8Array.of(1, 2, 3) })
    expect(parser.next()).toBeUndefined()
  })

  it('gives payloads as views of the chunk', () => {
    const chunk = encode(publish, 5)
    const parser = new Parser()
    parser.push(chunk)
    const packet = parser.next()
    if (packet?.type !== 'PUBLISH') throw new Error('no PUBLISH')
    expect(packet.payload.buffer).toBe(chunk.buffer)
    chunk[chunk.length - 1] = 9
    expect(packet.payload[2]).toBe(9)
  })

  it('takes another Maximum Packet Size at any time', () => {
    const parser = new Parser({ maximumPacketSize: 5 })
    expect(parser.maximumPacketSize).toBe(5)
    expect(new Parser().maximumPacketSize).toBe(LARGEST_PACKET)
    parser.maximumPacketSize = 15
    parser.push(encode(publish, 5))
    expect(parser.next()).toMatchObject({ type: 'PUBLISH' })
    expect(parser.next()).toBeUndefined()
    parser.maximumPacketSize = 14
    parser.push(encode(publish, 5).subarray(0, 2))
    expect(() => parser.next()).toThrow(expect.objectContaining({ reasonCode: 0x95 }))
  })

  it('refuses a chunk while there are packets in the one before', () => {
    const parser = new Parser()
    parser.push(Uint8Array.of(0xc0, 0, 0xd0, 0))
    parser.next()
    expect(() => parser.push(Uint8Array.of(0xc0, 0))).toThrow(/next\(\)/)
    expect(parser.next()).toEqual({ type: 'PINGRESP' })
    expect(parser.next()).toBeUndefined()
    parser.push(Uint8Array.of(0xc0, 0))
    expect(parser.next()).toEqual({ type: 'PINGREQ' })
  })
})
