import type { Engine } from '../../engine/engine.ts'
import { Fine, Text } from '../answers.ts'
import type { Routes } from '../context.ts'
import { metrics } from '../metrics.ts'
import { Ready } from '../schemas.ts'
import { within } from '../within.ts'

const READY_WITHIN_MS = 2_000

/** How this process is, and who is at work. */
export const stateRoutes: Routes = (app, context) => {
  const health = { summary: 'This process answers', answers: { 200: Fine } }
  app.get('/health', { schema: health }, async () => ({ status: 'ok' }))

  app.get(
    '/ready',
    {
      schema: {
        summary: 'The queue can be written; who works on it',
        response: { 200: Ready },
        refusals: [503],
      },
    },
    async () => {
      await within(READY_WITHIN_MS, 'the queue', context.engine.check())
      return { status: 'ready', ...(await others(context.engine)) }
    },
  )

  const counted = { summary: 'Counters, as Prometheus reads them', answers: { 200: Text } }
  app.get('/metrics', { schema: counted }, async (_, reply) => {
    reply.type('text/plain; version=0.0.4')
    return metrics(context)
  })
}

/** What the API needs of others for more than taking commands: none of it makes it less ready for those. */
async function others(engine: Engine): Promise<object> {
  const asked = <T>(work: Promise<T>): Promise<T | undefined> =>
    within(READY_WITHIN_MS, 'it', work).catch(() => undefined)
  const [end, workers] = await Promise.all([
    asked(engine.messages.end()),
    asked(engine.workers.list(Date.now())),
  ])
  const connected = workers?.filter(({ isConnected }) => isConnected).length
  return {
    messages: end === undefined ? 'unavailable' : 'ok',
    ...(workers === undefined ? {} : { workers: { alive: workers.length, connected } }),
  }
}
