import type { ReasonCode } from '@pipit/protocol'

/** The delay before the next attempt: random between 0 and a bound that doubles with each failure (full jitter),
 *  so that clients that lost the same server do not come back together.
 *  @param failures in a row, 1 or more
 *  @param random 0 to below 1 */
export function fullJitter(
  failures: number,
  minimumDelayMs: number,
  maximumDelayMs: number,
  random: number,
): number {
  const bound = Math.min(maximumDelayMs, minimumDelayMs * 2 ** Math.min(failures - 1, 52))
  return Math.floor(random * bound)
}

/** Refusals that trying again does not heal, and 0x8E: another client uses our Client Identifier. */
const HOPELESS: ReadonlySet<number> = new Set([0x84, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x8e, 0x9d])

export function isHopeless(reasonCode: ReasonCode | undefined): boolean {
  return reasonCode !== undefined && HOPELESS.has(reasonCode)
}
