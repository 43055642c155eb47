import { randomFillSync } from 'node:crypto'

const random = Buffer.alloc(8 * 512)
let used = random.length

/** An id that sorts by the time it was made: 12 hexadecimal digits of milliseconds, 16 of chance. */
export function newId(now: number): string {
  if (used === random.length) {
    randomFillSync(random)
    used = 0
  }
  const chance = random.toString('hex', used, used + 8)
  used += 8
  return now.toString(16).padStart(12, '0') + chance
}
