import { readdirSync, readFileSync } from 'node:fs'

/** What /proc counts in: hundredths of a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** CPU seconds, user and system, of a process with all its threads and living descendants. Linux only. */
export function cpuSeconds(pid: number): number {
  const stats = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined
    if (stat !== undefined) stats.set(Number(name), stat)
  }
  let ticks = 0
  for (const [candidate, stat] of stats) {
    if (descends(candidate, pid, stats)) ticks += stat.ticks
  }
  return ticks / TICKS_PER_SECOND
}

interface Stat {
  readonly parent: number
  readonly ticks: number
}

function descends(pid: number, ancestor: number, stats: ReadonlyMap<number, Stat>): boolean {
  for (let at = pid; at > 1; at = stats.get(at)?.parent ?? 0) if (at === ancestor) return true
  return false
}

function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name, in brackets, may hold spaces: count the fields behind it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
  } catch {
    return undefined // it ended meanwhile
  }
}
