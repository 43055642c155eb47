import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, type } from 'node:os'

/** Where and when a figure was measured, in one line to print beside it. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const date = new Date().toISOString().slice(0, 10)
  return `${model}, ${cpus().length} cores; ${type()} ${release()}; Node ${process.version}; ${date}`
}

/** The command pinned to one core, where the machine has taskset and the core; else the command itself. */
export function pinned(core: number, command: readonly string[]): string[] {
  return canPin(core) ? ['taskset', '-c', String(core), ...command] : [...command]
}

/** Says whether processes can be pinned to this core. */
export function canPin(core: number): boolean {
  if (core >= cpus().length) return false
  try {
    execFileSync('taskset', ['-c', String(core), 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Resident memory of a process; Linux only, elsewhere NaN. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}
