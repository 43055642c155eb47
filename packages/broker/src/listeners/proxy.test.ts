import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseProxyHeader } from './proxy.ts'

const v1 = (text: string) => parseProxyHeader(Buffer.from(text, 'latin1'), true)
const SIGNATURE = '0d0a0d0a000d0a515549540a'
const v2 = (hex: string) => parseProxyHeader(Buffer.from(SIGNATURE + hex, 'hex'), true)

describe('parseProxyHeader() version 1', () => {
  test.each([
    ['PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET', '192.168.0.1:56324', 47],
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', '255.255.255.255:65535', 56],
    ['PROXY TCP6 2001:db8::1 ::1 1 2\r\n', '[2001:db8::1]:1', 32],
    ['PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n', '192.0.2.1:1', 37],
    ['PROXY UNKNOWN\r\n', undefined, 15],
    ['PROXY UNKNOWN ffff:f...f:ffff whatever 65535\r\nrest', undefined, 46],
  ])('%j', (text, source, length) => {
    expect(v1(text)).toEqual({ source, length })
  })

  test.each([
    'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2x\r\n',
    'PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n',
    'PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0\x00 ::1 1 2\r\n',
    'PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY UNKNOWNX\r\n',
    'proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n',
    `PROXY UNKNOWN ${'x'.repeat(93)}\r\n`,
    'GET / HTTP/1.1\r\n',
    '\r\n\r\nGET',
    `PROXY ${' '.repeat(101)}`,
  ])('refuses %j', (text) => {
    // One without CRLF is refused once no CRLF can come any more.
    expect(() => v1(text.includes('\r\n') ? text : text.padEnd(107, 'x'))).toThrow()
  })
})

describe('parseProxyHeader() version 2', () => {
  test.each([
    ['2111000c c0000207 7f000001 1267 075b', '192.0.2.7:4711', 28],
    ['2112000c c0000207 7f000001 1267 075b', '192.0.2.7:4711', 28],
    [
      '21210024 20010db8000000000000000000000001 20010db8000000000000000000000002 1267 075b',
      '[2001:db8::1]:4711',
      52,
    ],
    [
      '21210024 00000000000000000000ffffc0000207 20010db8000000000000000000000002 1267 075b',
      '192.0.2.7:4711',
      52,
    ],
    ['20000000', undefined, 16],
    ['20110003 ffffff', undefined, 19],
    ['21000000', undefined, 16],
    [`213100d8 ${'00'.repeat(216)}`, 'unix:0', 232],
    ['21110011 c0000207 7f000001 1267 075b 04 0002 aabb', '192.0.2.7:4711', 33],
  ])('%s', (hex, source, length) => {
    expect(v2(hex.replaceAll(' ', ''))).toEqual({ source, length })
  })

  test.each([
    '1111000cc00002077f0000011267075b', // version 1
    '2211000cc00002077f0000011267075b', // command 2
    '2141000cc00002077f0000011267075b', // family 4
    '2113000cc00002077f0000011267075b', // transport 3
    '2111000bc00002077f000001126707', // shorter than its addresses
    '2111000dc00002077f0000011267075b04', // half an extra field
    '21110010c00002077f0000011267075b040002aa', // an extra field that is longer than the header
    '2111ffff', // 65535 bytes
  ])('refuses %s', (hex) => {
    expect(() => v2(hex)).toThrow()
  })

  test('only the version that is accepted', () => {
    expect(() => parseProxyHeader(Buffer.from('PROXY UNKNOWN\r\n'), 2)).toThrow()
    expect(() => parseProxyHeader(Buffer.from(`${SIGNATURE}20000000`, 'hex'), 1)).toThrow()
  })
})

const port = fc.integer({ min: 0, max: 65535 })

function header1(source: string, family: 4 | 6, sourcePort: number, destinationPort: number): Buffer {
  const destination = family === 4 ? '127.0.0.1' : '::1'
  return Buffer.from(`PROXY TCP${family} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`)
}

function header2(source: Buffer, sourcePort: number, extras: readonly Uint8Array[]): Buffer {
  const is4 = source.length === 4
  const addresses = Buffer.alloc(source.length * 2 + 4)
  source.copy(addresses, 0)
  addresses.writeUInt16BE(sourcePort, source.length * 2)
  const fields = extras.map((value) =>
    Buffer.concat([Buffer.from([4, value.length >> 8, value.length]), value]),
  )
  const body = Buffer.concat([addresses, ...fields])
  const start = Buffer.from([0x21, is4 ? 0x11 : 0x21, body.length >> 8, body.length])
  return Buffer.concat([Buffer.from(SIGNATURE, 'hex'), start, body])
}

const anyHeader = fc.oneof(
  fc.record({
    bytes: fc.tuple(fc.ipV4(), port, port).map(([source, a, b]) => header1(source, 4, a, b)),
  }),
  fc.record({ bytes: fc.tuple(fc.ipV6(), port, port).map(([source, a, b]) => header1(source, 6, a, b)) }),
  fc.record({
    bytes: fc
      .tuple(
        fc.constantFrom(4, 16).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
        port,
        fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 }),
      )
      .map(([source, sourcePort, extras]) => header2(Buffer.from(source), sourcePort, extras)),
  }),
)

describe('parseProxyHeader(), any', () => {
  test('takes a header whole, however it is followed, and never a part of it', () => {
    fc.assert(
      fc.property(anyHeader, fc.uint8Array({ maxLength: 40 }), ({ bytes }, rest) => {
        const parsed = parseProxyHeader(Buffer.concat([bytes, rest]), true)
        expect(parsed?.length).toBe(bytes.length)
        expect(parsed?.source).toMatch(/^(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):\d+$/i)
        for (let end = 0; end < bytes.length; end++) {
          expect(parseProxyHeader(bytes.subarray(0, end), true)).toBeUndefined()
        }
      }),
    )
  })

  test('never loops or reads beyond what is there, whatever comes', () => {
    const start = fc.constantFrom(Buffer.from('PROXY '), Buffer.from(SIGNATURE, 'hex'), Buffer.alloc(0))
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 300 }), (prefix, rest) => {
        const bytes = Buffer.concat([prefix, rest])
        try {
          const parsed = parseProxyHeader(bytes, true)
          if (parsed !== undefined) expect(parsed.length).toBeLessThanOrEqual(bytes.length)
        } catch (error) {
          expect((error as Error).message).toMatch(/PROXY/)
        }
      }),
    )
  })
})
