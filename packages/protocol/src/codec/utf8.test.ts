import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MalformedPacketError } from '../errors.ts'
import { decodeUtf8, isDiscouraged, utf8Length, writeUtf8 } from './utf8.ts'

const text = fc.string({ unit: 'binary', maxLength: 60 }).map((s) => s.replaceAll('\0', ''))

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

describe('utf8', () => {
  it('writes and measures as TextEncoder does, and reads it back', () => {
    fc.assert(
      fc.property(text, (s) => {
        const expected = new TextEncoder().encode(s)
        expect(utf8Length(s, 'text')).toBe(expected.length)
        const bytes = new Uint8Array(expected.length + 2)
        expect(writeUtf8(bytes, 1, s)).toBe(expected.length + 1)
        expect(bytes.subarray(1, -1)).toEqual(expected)
        expect(decodeUtf8(bytes, 1, expected.length + 1, 'text', false)).toBe(s)
      }),
      { numRuns: 2000 },
    )
  })

  it('accepts the bytes that TextDecoder accepts, and no other', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc
        .array(
          fc.constantFrom(
            0x41,
            0x7f,
            0x80,
            0xbf,
            0xc0,
            0xc1,
            0xc2,
            0xdf,
            0xe0,
            0xed,
            0xef,
            0xf0,
            0xf4,
            0xf5,
            0x9f,
            0xa0,
            0x8f,
            0x90,
          ),
          { maxLength: 6 },
        )
        .map((a) => Uint8Array.from(a)),
    )
    fc.assert(
      fc.property(bytes, (b) => {
        let expected: string | undefined
        try {
          expected = decoder.decode(b)
        } catch {
          expected = undefined
        }
        if (expected === undefined || expected.includes('\0')) {
          expect(() => decodeUtf8(b, 0, b.length, 'text', false)).toThrow(MalformedPacketError)
        } else expect(decodeUtf8(b, 0, b.length, 'text', false)).toBe(expected)
      }),
      { numRuns: 20000 },
    )
  })

  it.each([5000, 20000, 65535])('reads %i bytes of any kind', (length) => {
    const ascii = new Uint8Array(length).fill(0x61)
    expect(decodeUtf8(ascii, 0, length, 'text', true)).toBe('a'.repeat(length))
    const wide = '🌡'.repeat(Math.floor(length / 4))
    const bytes = new TextEncoder().encode(wide)
    expect(decodeUtf8(bytes, 0, bytes.length, 'text', true)).toBe(wide)
    const odd = `x${wide.slice(0, wide.length - 2)}`
    const oddBytes = new TextEncoder().encode(odd)
    expect(decodeUtf8(oddBytes, 0, oddBytes.length, 'text', true)).toBe(odd)
  })

  it('reads the same where there is no Buffer, as in a browser', async () => {
    vi.stubGlobal('Buffer', undefined)
    vi.resetModules()
    const browser = await import('./utf8.ts')
    for (const s of ['', 'a', 'abc/def', 'x'.repeat(5000), 'y'.repeat(20000), 'ä🌡'.repeat(100)]) {
      const bytes = new TextEncoder().encode(s)
      expect(browser.decodeUtf8(bytes, 0, bytes.length, 'text', true)).toBe(s)
    }
  })

  it('names the control characters and non-characters that 1.5.4 advises against', () => {
    const discouraged = (point: number): boolean =>
      (point >= 0x01 && point <= 0x1f) ||
      (point >= 0x7f && point <= 0x9f) ||
      (point >= 0xfdd0 && point <= 0xfdef) ||
      (point & 0xffff) >= 0xfffe
    for (let point = 1; point <= 0x10ffff; point += point < 0x10000 ? 1 : 0xff) {
      if (isDiscouraged(point) !== discouraged(point)) throw new Error(`U+${point.toString(16)}`)
    }
    for (let plane = 0; plane <= 16; plane++) {
      expect([0xfffd, 0xfffe, 0xffff].map((low) => isDiscouraged(plane * 0x10000 + low))).toEqual([
        false,
        true,
        true,
      ])
    }
  })
})
