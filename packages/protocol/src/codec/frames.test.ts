import { describe, expect, it } from 'vitest'
import { FramingError } from '../errors.ts'
import { Frames, LARGEST_PACKET } from './frames.ts'

const ping = Uint8Array.of(0xc0, 0)

function publishOf(length: number): Uint8Array {
  const header =
    length < 128
      ? [length]
      : length < 16384
        ? [(length & 127) | 128, length >> 7]
        : [(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14]
  const bytes = new Uint8Array(1 + header.length + length).fill(0x61)
  bytes.set([0x30, ...header])
  return bytes
}

function thrown(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return error
  }
}

/** Whole frames as they are found, copied. */
function framesOf(frames: Frames, chunk: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = []
  frames.push(chunk)
  while (frames.next()) found.push(frames.bytes.slice(frames.start, frames.end))
  return found
}

describe('Frames', () => {
  it('cuts a chunk into packets without copying it', () => {
    const frames = new Frames()
    const chunk = Uint8Array.of(0xc0, 0, 0x40, 2, 0, 1, 0xd0, 0)
    frames.push(chunk)
    const seen: number[][] = []
    while (frames.next()) {
      expect(frames.bytes).toBe(chunk)
      seen.push([frames.start, frames.bodyStart, frames.end])
    }
    expect(seen).toEqual([
      [0, 2, 2],
      [2, 4, 6],
      [6, 8, 8],
    ])
    expect(frames.midPacket).toBe(false)
  })

  it.each([0, 1, 127, 128, 16383, 16384, 70000, 300000])(
    'finds a packet with a body of %i bytes in any two parts',
    (length) => {
      const packet = publishOf(length)
      const cuts = [1, 2, 3, 4, 5, 100, 65536, 65537, packet.length - 1].filter((n) => n < packet.length)
      for (const cut of cuts) {
        const frames = new Frames()
        expect(framesOf(frames, packet.slice(0, cut))).toEqual([])
        expect(frames.midPacket).toBe(true)
        const rest = Uint8Array.of(...ping)
        const found = [...framesOf(frames, packet.slice(cut)), ...framesOf(frames, rest)]
        expect(found.length).toBe(2)
        expect(Buffer.compare(found[0] as Uint8Array, packet)).toBe(0)
        expect(frames.midPacket).toBe(false)
      }
    },
  )

  it('finds packets behind one that ends in the middle of a chunk', () => {
    const frames = new Frames()
    expect(framesOf(frames, Uint8Array.of(0x40))).toEqual([])
    expect(framesOf(frames, Uint8Array.of(2, 0))).toEqual([])
    const found = framesOf(frames, Uint8Array.of(7, 0xc0, 0, 0xd0))
    expect(found.map((one) => [...one])).toEqual([
      [0x40, 2, 0, 7],
      [0xc0, 0],
    ])
    expect(framesOf(frames, Uint8Array.of(0)).map((one) => [...one])).toEqual([[0xd0, 0]])
  })

  it('does nothing for an empty chunk', () => {
    const frames = new Frames()
    expect(framesOf(frames, new Uint8Array(0))).toEqual([])
    expect(frames.midPacket).toBe(false)
    framesOf(frames, Uint8Array.of(0x30))
    expect(framesOf(frames, new Uint8Array(0))).toEqual([])
    expect(frames.midPacket).toBe(true)
  })

  it('shows the first byte of a packet that has begun', () => {
    const frames = new Frames()
    expect(frames.begun).toBe(0)
    framesOf(frames, Uint8Array.of(0xc0, 0, 0x32, 5, 0))
    expect(frames.begun).toBe(0x32)
    framesOf(frames, Uint8Array.of(1, 0x61, 0, 7))
    expect(frames.begun).toBe(0)
  })

  it('tells a Remaining Length that does not end from other faults', () => {
    for (const cut of [0, 1, 2, 3, 4]) {
      const frames = new Frames()
      const bytes = Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff)
      framesOf(frames, bytes.slice(0, cut))
      expect(() => framesOf(frames, bytes.slice(cut))).toThrow(FramingError)
    }
    expect(thrown(() => framesOf(new Frames(), Uint8Array.of(0x30, 0x80, 0)))).not.toBeInstanceOf(
      FramingError,
    )
  })

  it('holds no chunk between two', () => {
    const frames = new Frames()
    framesOf(frames, new Uint8Array(ping))
    expect(frames.bytes.length).toBe(0)
  })

  it('allocates as bytes come, not as they are announced', () => {
    const frames = new Frames()
    // 256 MB announced, ten bytes sent.
    framesOf(frames, Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0, 3, 0x61, 0x62, 0x63))
    const { held } = frames as unknown as { held: Uint8Array }
    expect(held.length).toBeLessThanOrEqual(65536)
    framesOf(frames, new Uint8Array(100_000))
    expect((frames as unknown as { held: Uint8Array }).held.length).toBeLessThanOrEqual(262_144)
  })

  it.each([
    ['at once', [0x30, 0x80, 0x01]],
    ['by its length alone, split', [0x30], [0x80], [0x01]],
  ])('refuses a packet above Maximum Packet Size %s, with 0x95', (_name, ...chunks) => {
    const frames = new Frames(130)
    const refused = expect.objectContaining({ code: 'PROTOCOL_ERROR', reasonCode: 0x95 })
    expect(() => chunks.flatMap((chunk) => framesOf(frames, Uint8Array.from(chunk as number[])))).toThrow(
      refused,
    )
  })

  it('takes a packet of exactly Maximum Packet Size', () => {
    expect(framesOf(new Frames(130), publishOf(127)).length).toBe(1)
    expect(framesOf(new Frames(131), publishOf(128)).length).toBe(1)
    expect(() => framesOf(new Frames(130), publishOf(128))).toThrow(/130/)
    expect(new Frames().maximumPacketSize).toBe(LARGEST_PACKET)
  })

  it('extendRun() takes packets of the same length and beginning in one go', () => {
    const frames = new Frames()
    const one = [0x30, 4, 0, 1, 0x61]
    const chunk = Uint8Array.from([...one, 1, ...one, 2, ...one, 3, 0x30, 4, 0, 1, 0x62, 4, ...ping])
    frames.push(chunk)
    expect(frames.next()).toBe(true)
    expect(frames.extendRun(5)).toBe(2)
    expect([frames.start, frames.end]).toEqual([0, 18])
    expect(frames.next()).toBe(true)
    expect([frames.start, frames.end]).toEqual([18, 24])
    expect(frames.extendRun(5)).toBe(0)
    expect(frames.next()).toBe(true)
    expect(frames.bytes[frames.start]).toBe(0xc0)
    expect(frames.next()).toBe(false)
  })

  it('extendRun() does not take a packet that has not come whole, nor go on from one that spanned chunks', () => {
    const frames = new Frames()
    frames.push(Uint8Array.of(0x30, 3, 0, 1, 0x61, 0x30, 3, 0, 1))
    frames.next()
    expect(frames.extendRun(5)).toBe(0)
    expect(frames.next()).toBe(false)
    frames.push(Uint8Array.of(0x61, 0x30, 3, 0, 1, 0x61))
    expect(frames.next()).toBe(true)
    expect(frames.extendRun(5)).toBe(0)
    expect(frames.next()).toBe(true)
    expect(frames.next()).toBe(false)
  })

  it('own() copies a lent chunk from the current packet on', () => {
    const frames = new Frames()
    // A Buffer, whose slice() copies nothing.
    const chunk = Buffer.from([...ping, 0x30, 3, 0, 1, 0x61, 0x30, 3, 0, 1, 0x62, ...ping])
    frames.push(chunk, true)
    frames.next()
    frames.next()
    expect(frames.own()).toBe(true)
    expect(frames.own()).toBe(false)
    chunk.fill(0xff)
    expect([frames.bodyStart - frames.start, frames.end - frames.start]).toEqual([2, 5])
    expect(frames.bytes[frames.start + 4]).toBe(0x61)
    expect(frames.next()).toBe(true)
    expect(frames.bytes[frames.end - 1]).toBe(0x62)
    expect(frames.next()).toBe(true)
    expect(frames.bytes[frames.start]).toBe(0xc0)
    expect(frames.next()).toBe(false)
    expect(frames.own()).toBe(false)
  })

  it('own() leaves a packet that spanned chunks where it is, and copies what is behind it', () => {
    const frames = new Frames()
    frames.push(Uint8Array.of(0x30, 3, 0), true)
    expect(frames.next()).toBe(false)
    const chunk = Uint8Array.from([1, 0x61, ...ping])
    frames.push(chunk, true)
    expect(frames.next()).toBe(true)
    expect(frames.own()).toBe(false)
    chunk.fill(0xff)
    expect([...frames.bytes.subarray(frames.start, frames.end)]).toEqual([0x30, 3, 0, 1, 0x61])
    expect(frames.next()).toBe(true)
    expect(frames.bytes[frames.start]).toBe(0xc0)
    expect(frames.next()).toBe(false)
  })

  it('own() between two chunks has nothing to copy', () => {
    const frames = new Frames()
    frames.push(Uint8Array.from([...ping, 0x30]), true)
    frames.next()
    expect(frames.next()).toBe(false)
    expect(frames.own()).toBe(false)
    frames.push(Uint8Array.of(3, 0, 1, 0x61), true)
    expect(frames.next()).toBe(true)
  })
})
