/** Milliseconds before the next try: doubled with each failure, half of it random.
 *  @param failures in a row, 1 or more */
export function backoffMs(failures: number, firstMs: number, mostMs: number): number {
  const bound = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 40))
  return Math.round(bound / 2 + (Math.random() * bound) / 2)
}
