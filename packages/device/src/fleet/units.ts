const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** A length of time as a person writes it, in milliseconds: `250ms`, `90s`, `10m`, `1h30m`, `2d`; undefined when
 *  it is none. */
export function durationOf(text: string): number | undefined {
  const compact = text.replaceAll(/\s+/g, '')
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(compact)) return undefined
  let total = 0
  for (const [, count, , unit = ''] of compact.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(count) * (UNITS[unit] ?? Number.NaN)
  }
  return Number.isFinite(total) ? total : undefined
}

/** A part of a whole, as 0 to 1: `10 %`, `0.5%`, or the number 0.1 itself; undefined when it is none. */
export function shareOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value >= 0 && value <= 1 ? value : undefined
  const percent = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(value.trim())?.[1] : undefined
  if (percent === undefined) return undefined
  const share = Number(percent) / 100
  return share <= 1 ? share : undefined
}

/** A length of time for a person: `0.4 s`, `25 s`, `1 h 30 m`, `2 d 4 h`. */
export function spoken(ms: number): string {
  if (ms < 60_000) return `${ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1000)} s`
  const minutes = Math.round(ms / 60_000)
  const parts = [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor(minutes / 60) % 24, 'h'],
    [minutes % 60, 'm'],
  ] as const
  return parts
    .filter(([count]) => count > 0)
    .slice(0, 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}
