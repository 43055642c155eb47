import type { Route } from './route.ts'

const FIRST_SIZE = 1024

/** Routes by the bytes of their topic: open addressing over a hash of the bytes, so that finding the route
 *  of a topic makes no string. With 100,000 topics in turn that is 2.2 times a Map of strings (bench/broker wild100k). */
export class RouteTable {
  size = 0
  private slots: (Route | undefined)[] = new Array(FIRST_SIZE).fill(undefined)

  /** @param hash of these bytes, by `hashOf` */
  find(bytes: Uint8Array, start: number, length: number, hash: number): Route | undefined {
    const { slots } = this
    const mask = slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const route = slots[slot]
      if (route === undefined) return undefined
      if (route.hash === hash && same(route.bytes, bytes, start, length)) return route
    }
  }

  /** Adds a route whose topic is not there yet. */
  add(route: Route): void {
    if (++this.size * 2 > this.slots.length) this.grow()
    this.put(route)
  }

  clear(): void {
    this.size = 0
    this.slots = new Array(FIRST_SIZE).fill(undefined)
  }

  private put(route: Route): void {
    const { slots } = this
    const mask = slots.length - 1
    let slot = route.hash & mask
    while (slots[slot] !== undefined) slot = (slot + 1) & mask
    slots[slot] = route
  }

  private grow(): void {
    const { slots } = this
    this.slots = new Array(slots.length * 2).fill(undefined)
    for (const route of slots) if (route !== undefined) this.put(route)
  }
}

/** FNV-1a, with its high bits brought down. */
export function hashOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

function same(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false
  for (let i = length - 1; i >= 0; i--) if (known[i] !== bytes[start + i]) return false
  return true
}
