import type { Route } from './route.ts'

const FIRST_SIZE = 1024
const FIRST_BYTES = 16_384

/** What stands in a slot: the hash of the topic's bytes, where they are in the slab, how many (0: the slot is
 *  empty), and the route. */
const PARTS = 4

/** Routes by the bytes of their topic: open addressing over a hash of the bytes, so that finding the route
 *  of a topic makes no string. What is looked at lies side by side: with 100,000 topics in turn each object
 *  further away costs as much as everything else (bench/broker wild100k). */
export class RouteTable {
  size = 0
  private slots: (number | Route)[] = new Array(FIRST_SIZE * PARTS).fill(0)
  private slab = new Uint8Array(FIRST_BYTES)
  private slabLength = 0

  /** @param hash of these bytes, by `hashOf` */
  find(bytes: Uint8Array, start: number, length: number, hash: number): Route | undefined {
    const { slots, slab } = this
    const mask = slots.length - 1
    for (let at = (hash * PARTS) & mask; ; at = (at + PARTS) & mask) {
      const known = slots[at + 2]
      if (known === 0) return undefined
      if (slots[at] !== hash || known !== length) continue
      const from = slots[at + 1] as number
      let i = length - 1
      while (i >= 0 && slab[from + i] === bytes[start + i]) i--
      if (i < 0) return slots[at + 3] as Route
    }
  }

  /** Adds a route whose topic is not there yet.
   *  @param bytes of its topic, at least one */
  add(route: Route, bytes: Uint8Array): void {
    if (++this.size * 2 * PARTS > this.slots.length) this.grow()
    const { length } = bytes
    const from = this.slabLength
    this.slabLength += length
    if (this.slabLength > this.slab.length) {
      const larger = new Uint8Array(2 * this.slabLength)
      larger.set(this.slab)
      this.slab = larger
    }
    this.slab.set(bytes, from)
    this.put(hashOf(bytes, 0, length), from, length, route)
  }

  clear(): void {
    this.size = 0
    this.slots = new Array(FIRST_SIZE * PARTS).fill(0)
    this.slab = new Uint8Array(FIRST_BYTES)
    this.slabLength = 0
  }

  private put(hash: number, from: number, length: number, route: Route): void {
    const { slots } = this
    const mask = slots.length - 1
    let at = (hash * PARTS) & mask
    while (slots[at + 2] !== 0) at = (at + PARTS) & mask
    slots[at] = hash
    slots[at + 1] = from
    slots[at + 2] = length
    slots[at + 3] = route
  }

  private grow(): void {
    const old = this.slots
    this.slots = new Array(old.length * 2).fill(0)
    for (let at = 0; at < old.length; at += PARTS) {
      const length = old[at + 2] as number
      if (length !== 0) this.put(old[at] as number, old[at + 1] as number, length, old[at + 3] as Route)
    }
  }
}

/** A hash of four bytes at a time, whose bits all depend on all of them (the last steps are MurmurHash3's); 28 bits,
 *  so that it is a small integer wherever it goes. */
export function hashOf(bytes: Uint8Array, start: number, length: number): number {
  const end = start + length
  let hash = length
  let i = start
  for (; i + 4 <= end; i += 4) {
    const four = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    hash = Math.imul(hash ^ four, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & 0xfffffff
}
