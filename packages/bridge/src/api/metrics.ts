import type { CommandCounts } from '../engine/commands.ts'
import type { WorkerReport } from '../engine/workers.ts'
import type { Context } from './context.ts'
import { within } from './within.ts'

type Value = readonly [label: string, value: number]

const WITHIN_MS = 2_000

/** Counters in the text format of Prometheus: those of this process, and what the engine knows of the others for as
 *  long as it can be asked. */
export async function metrics(context: Context): Promise<string> {
  const { engine, counters, streams } = context
  const asked = <T>(work: Promise<T>): Promise<T | undefined> =>
    within(WITHIN_MS, 'the queue', work).catch(() => undefined)
  const [commands, workers, end] = await Promise.all([
    asked(engine.commands.counts()),
    asked(engine.workers.list(Date.now())),
    asked(engine.messages.end()),
  ])
  const lines = [
    ...family('accepted_total', 'counter', 'Commands this process has accepted', [
      ['', counters.accepted.commands],
    ]),
    ...family('repeated_total', 'counter', 'Requests that had come before', [
      ['', counters.accepted.repeated],
    ]),
    ...family(
      'answers_total',
      'counter',
      'Answers of this process, by HTTP status',
      Array.from(counters.answers, ([status, n]) => [String(status), n] as const),
      'status',
    ),
    ...family('streams', 'gauge', 'Who listens over Server-Sent Events', [['', streams.size]]),
    ...family('missed_total', 'counter', 'Messages left out for slow listeners that have gone', [
      ['', streams.missed],
    ]),
    ...family('queue_up', 'gauge', '1 when the queue of commands can be asked', [['', flag(commands)]]),
    ...family('messages_up', 'gauge', '1 when the log of messages can be asked', [['', flag(end)]]),
    ...commandLines(commands),
    ...workerLines(workers),
  ]
  return `${lines.join('\n')}\n`
}

function commandLines(commands: CommandCounts | undefined): string[] {
  if (commands === undefined) return []
  return family('commands', 'gauge', 'Commands in the queue, by state', Object.entries(commands), 'state')
}

function workerLines(workers: readonly WorkerReport[] | undefined): string[] {
  if (workers === undefined) return []
  const connected = workers.filter(({ isConnected }) => isConnected).length
  const of = (read: (worker: WorkerReport) => number): Value[] =>
    workers.map((worker) => [worker.name, read(worker)])
  return [
    ...family(
      'workers',
      'gauge',
      'Workers that are alive, by their connection to the broker',
      [
        ['connected', connected],
        ['disconnected', workers.length - connected],
      ],
      'state',
    ),
    ...family(
      'worker_acknowledged_total',
      'counter',
      'Publishes that were acknowledged',
      of((worker) => worker.acknowledged),
      'worker',
    ),
    ...family(
      'worker_stored_total',
      'counter',
      'Messages that were stored',
      of((worker) => worker.stored),
      'worker',
    ),
    ...family(
      'worker_dropped_total',
      'counter',
      'Messages of QoS 0 that came too fast',
      of((worker) => worker.dropped),
      'worker',
    ),
  ]
}

function flag(answer: unknown): number {
  return answer === undefined ? 0 : 1
}

function family(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  values: readonly Value[],
  label = '',
): string[] {
  const full = `pipit_bridge_${name}`
  const rows = values.map(
    ([of, value]) => `${full}${label === '' ? '' : `{${label}="${escaped(of)}"}`} ${value}`,
  )
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...rows]
}

function escaped(label: string): string {
  return label.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')
}
