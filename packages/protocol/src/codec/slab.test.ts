import { expect, it } from 'vitest'
import { Slab } from './slab.ts'

it('Slab keeps every copy, whatever its size, also when what it was copied from changes', () => {
  const slab = new Slab()
  const from = new Uint8Array(5000)
  const copies: { bytes: Uint8Array; start: number; size: number; fill: number }[] = []
  for (let i = 0; i < 200; i++) {
    const size = (i * 37) % 3000
    from.fill(i)
    slab.copy(from, 7, 7 + size)
    copies.push({ bytes: slab.bytes, start: slab.start, size, fill: i })
  }
  for (const { bytes, start, size, fill } of copies) {
    const copy = bytes.subarray(start, start + size)
    expect(copy.length).toBe(size)
    expect(copy.every((byte) => byte === fill)).toBe(true)
  }
  // Blocks are shared: there are far fewer than copies.
  expect(new Set(copies.filter(({ size }) => size < 2048).map(({ bytes }) => bytes)).size).toBeLessThan(30)
})
