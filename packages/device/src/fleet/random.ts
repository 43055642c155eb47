import type { Random } from '../clock.ts'

/** Random numbers that a seed decides. Every part of a rig has a stream of its own, named by `names`, so that one
 *  device more, or one number drawn more, changes nobody else's. */
export function seeded(seed: string | number, ...names: readonly (string | number)[]): Random {
  const state = mixed(JSON.stringify([seed, ...names]))
  return () => next(state) / 4_294_967_296
}

/** Four numbers of 32 bits from a text: FNV-1a from four beginnings, then shaken. */
function mixed(text: string): Uint32Array {
  const state = Uint32Array.of(0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35)
  for (let i = 0; i < text.length; i++) {
    for (let j = 0; j < 4; j++) state[j] = Math.imul((state[j] ?? 0) ^ text.charCodeAt(i), 0x01000193 + 2 * j)
  }
  for (let i = 0; i < 16; i++) next(state)
  return state
}

/** One step of sfc32, the small fast counting generator of PractRand. */
function next(state: Uint32Array): number {
  const [a = 0, b = 0, c = 0, counter = 0] = state
  const sum = (a + b + counter) >>> 0
  state[3] = counter + 1
  state[0] = b ^ (b >>> 9)
  state[1] = c + (c << 3)
  state[2] = ((c << 21) | (c >>> 11)) + sum
  return sum
}

/** A number of the normal distribution around 0 with deviation 1 (Box and Muller). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
