import type { Context, Routes } from '../context.ts'
import { Problem } from '../problem.ts'

const READY_WITHIN_MS = 2_000

/** How this process is. */
export const stateRoutes: Routes = (app, context) => {
  app.get('/health', { schema: { summary: 'This process answers' } }, async () => ({ status: 'ok' }))

  app.get('/ready', { schema: { summary: 'The queue can be written' } }, async () => {
    await withinTime(context.engine.check())
    return { status: 'ready' }
  })

  app.get('/metrics', { schema: { summary: 'Counters, as Prometheus reads them' } }, async (_, reply) => {
    reply.type('text/plain; version=0.0.4')
    return metrics(context)
  })
}

async function withinTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const problem = new Problem(503, `the queue took over ${READY_WITHIN_MS} ms`, { retryAfter: 1 })
    timer = setTimeout(() => reject(problem), READY_WITHIN_MS)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

async function metrics({ engine, counters, streams }: Context): Promise<string> {
  const commands = await engine.commands.counts()
  const lines = [
    ...family(
      'pipit_bridge_commands',
      'gauge',
      'Commands in the queue, by state',
      Object.entries(commands),
      'state',
    ),
    ...family('pipit_bridge_accepted_total', 'counter', 'Commands this process has accepted', [
      ['', counters.accepted.commands],
    ]),
    ...family('pipit_bridge_repeated_total', 'counter', 'Requests that had come before', [
      ['', counters.accepted.repeated],
    ]),
    ...family(
      'pipit_bridge_answers_total',
      'counter',
      'Answers of this process, by HTTP status',
      [...counters.answers].map(([status, n]) => [String(status), n]),
      'status',
    ),
    ...family('pipit_bridge_streams', 'gauge', 'Who listens over Server-Sent Events', [['', streams.size]]),
    ...family('pipit_bridge_missed_total', 'counter', 'Messages left out for slow listeners that have gone', [
      ['', streams.missed],
    ]),
  ]
  return `${lines.join('\n')}\n`
}

function family(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  values: readonly (readonly [string, number])[],
  label = '',
): string[] {
  const rows = values.map(([of, value]) => `${name}${label === '' ? '' : `{${label}="${of}"}`} ${value}`)
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...rows]
}
