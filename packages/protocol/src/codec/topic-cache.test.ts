import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedPacketError } from '../errors.ts'
import { Reader } from './reader.ts'
import { TopicCache } from './topic-cache.ts'

/** A string field as it stands in a packet. */
function field(topic: string | Uint8Array): Uint8Array {
  const bytes = typeof topic === 'string' ? new TextEncoder().encode(topic) : topic
  return Uint8Array.of(bytes.length >> 8, bytes.length & 255, ...bytes)
}

function read(cache: TopicCache, bytes: Uint8Array): string {
  const reader = new Reader()
  reader.reset(bytes, 0, bytes.length)
  const topic = cache.read(reader)
  expect(reader.offset).toBe(bytes.length)
  return topic
}

describe('TopicCache', () => {
  it('gives the very string again for the same bytes', () => {
    const cache = new TopicCache()
    const bytes = field('sensors/esp32-s3/temperature')
    const [, second, third] = [read(cache, bytes), read(cache, bytes), read(cache, bytes.slice())]
    expect(third).toBe('sensors/esp32-s3/temperature')
    expect(Object.is(second, third)).toBe(true)
  })

  it('tells topics apart that differ in one byte, at any place and of any length', () => {
    for (const length of [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 255, 256, 257]) {
      const cache = new TopicCache()
      const base = 'a'.repeat(length)
      for (let round = 0; round < 3; round++) {
        expect(read(cache, field(base))).toBe(base)
        for (let at = 0; at < length; at++) {
          const other = `${base.slice(0, at)}b${base.slice(at + 1)}`
          expect(read(cache, field(other))).toBe(other)
        }
      }
    }
  })

  it('reads what any order of topics holds, from chunks that are reused', () => {
    const topic = fc.oneof(
      fc.nat(600).map((n) => `device/${String(n).padStart(4, '0')}/temperature`),
      fc.constantFrom('a', 'a/b', 'größe/🌡', '/', 'x'.repeat(300)),
    )
    fc.assert(
      fc.property(fc.array(topic, { maxLength: 80 }), (topics) => {
        const cache = new TopicCache()
        const chunk = new Uint8Array(400)
        for (const expected of [...topics, ...topics]) {
          const bytes = field(expected)
          chunk.fill(0xee).set(bytes, 7)
          const reader = new Reader()
          reader.reset(chunk, 7, 7 + bytes.length)
          expect(cache.read(reader)).toBe(expected)
        }
      }),
    )
  })

  it.each([
    ['a wildcard', 'sensors/#'],
    ['U+0000', 'sensors/\0x'],
    ['a control character', 'sensors/\u0001x'],
  ])('refuses %s however often it comes', (_name, topic) => {
    const cache = new TopicCache()
    for (let i = 0; i < 4; i++) expect(() => read(cache, field(topic))).toThrow(MalformedPacketError)
  })

  it('refuses a field that is longer than the packet', () => {
    const cache = new TopicCache()
    const bytes = field('sensors/temperature')
    for (let i = 0; i < 3; i++) read(cache, bytes)
    for (let end = 0; end < bytes.length; end++) {
      const reader = new Reader()
      reader.reset(bytes, 0, end)
      expect(() => cache.read(reader)).toThrow(MalformedPacketError)
    }
  })

  it('holds no chunk after release()', () => {
    const cache = new TopicCache()
    const bytes = field('sensors/temperature')
    read(cache, bytes)
    cache.release()
    expect((cache as unknown as { bytes: unknown }).bytes).toBeUndefined()
    expect(read(cache, bytes)).toBe('sensors/temperature')
  })
})
