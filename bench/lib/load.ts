import { Histogram } from '../../packages/cli/src/load/histogram.ts'
import type { Target } from '../../packages/cli/src/load/link.ts'
import { type RunResult, runLoad } from '../../packages/cli/src/load/run-load.ts'
import type { Load } from '../../packages/cli/src/load/shape.ts'
import { cpuSeconds } from './cpu.ts'

/** What a load was seen to do, and what the broker's process took for it. */
export interface Measured extends RunResult {
  readonly brokerCpuSeconds: number
}

/** A broker on this machine, spoken to in 3.1.1 over TCP. */
export function plain(port: number): Target {
  return { host: '127.0.0.1', port, version: 4 }
}

/** Puts a load on the broker whose process is `pid`.
 *  @param pinned what the generator is started by, such as `taskset -c 1` */
export async function measured(
  load: Load,
  pid: number,
  options: { readonly pinned?: readonly string[]; readonly onBegun?: () => void } = {},
): Promise<Measured> {
  const cpu = { begun: 0, over: 0 }
  const result = await runLoad(load, {
    pinned: options.pinned ?? [],
    onBegun: () => {
      cpu.begun = cpuSeconds(pid)
      options.onBegun?.()
    },
    onOver: () => {
      cpu.over = cpuSeconds(pid)
    },
  })
  return { ...result, brokerCpuSeconds: cpu.over - cpu.begun }
}

/** The time that this share did not exceed, milliseconds.
 *  @param counts of a Histogram */
export function milliseconds(counts: readonly number[], share: number): number {
  return new Histogram(counts).quantile(share) / 1000
}

/** What was wrong with the messages, in words; empty when nothing was. */
export function faultsOf({ lost, repeated, strange, unacknowledged }: RunResult): string {
  const found = Object.entries({ lost, repeated, strange, unacknowledged }).filter(([, n]) => n > 0)
  return found.map(([what, n]) => `${n} ${what}`).join(', ')
}
