import type { StoredMessage } from '../../engine/messages.ts'
import { messageView } from '../../engine/view.ts'
import { mayRead } from '../access.ts'
import { Events, Message, Messages } from '../answers.ts'
import type { Context, Routes } from '../context.ts'
import { checkedCursor, checkedFilter, checkedTopic } from '../fields.ts'
import { Listener } from '../listener.ts'
import { Problem } from '../problem.ts'
import { MessagesQuery, StreamHeaders, StreamQuery } from '../schemas.ts'

/** Pages of the log that one request looks through for a rare filter. */
const PAGES = 20
const STREAMS = 10_000

interface Query {
  readonly filter?: string
  readonly since?: string
  readonly limit?: number
}

/** Messages: the last of a topic, those of a filter, and all that come. */
export const messageRoutes: Routes = (app, context) => {
  app.get<{ Params: { '*': string } }>(
    '/v1/topics/*',
    {
      schema: {
        summary: 'The last message of a topic',
        answers: { 200: Message },
        refusals: [400, 403, 404, 503],
      },
    },
    async (request) => {
      const topic = checkedTopic(request.params['*'], 'topic')
      mayRead(request.caller, topic, 'topic')
      const message = await context.engine.messages.last(topic)
      if (message === undefined) throw new Problem(404, `no message of ${topic} has been stored`)
      return messageView(message)
    },
  )

  app.get<{ Querystring: Query }>(
    '/v1/messages',
    {
      schema: {
        summary: 'Stored messages of a filter, oldest first',
        querystring: MessagesQuery,
        answers: { 200: Messages },
        refusals: [403, 503],
      },
    },
    async ({ query, caller }) => {
      const { since, limit = 100 } = query
      const filter = checkedFilter(query.filter ?? '#', 'filter')
      mayRead(caller, filter, 'filter')
      return page(context, filter, since === undefined ? undefined : checkedCursor(since, 'since'), limit)
    },
  )

  app.get<{ Querystring: Query }>(
    '/v1/stream',
    {
      schema: {
        summary: 'Messages of a filter as they come (Server-Sent Events)',
        querystring: StreamQuery,
        headers: StreamHeaders,
        answers: { 200: Events },
        refusals: [403, 503],
      },
    },
    async (request, reply) => {
      const filter = checkedFilter(request.query.filter ?? '#', 'filter')
      mayRead(request.caller, filter, 'filter')
      const last = request.headers['last-event-id']
      const since = typeof last === 'string' && last !== '' ? last : request.query.since
      const after = since === undefined ? undefined : checkedCursor(since, 'last-event-id')
      if (context.streams.size >= STREAMS)
        throw new Problem(503, 'too many listen already', { retryAfter: 10 })
      reply.hijack()
      const { raw } = reply
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      raw.write('retry: 1000\n\n')
      const listener = new Listener(filter, raw)
      // It comes again, with the id of the last event it has seen.
      await context.streams.add(listener, after).catch(() => listener.end())
    },
  )
}

async function page(
  { engine }: Context,
  filter: string,
  since: string | undefined,
  limit: number,
): Promise<object> {
  const messages: StoredMessage[] = []
  let after = since
  let [atEnd, gap] = [false, false]
  for (let i = 0; i < PAGES && !atEnd && messages.length < limit; i++) {
    const found = await engine.messages.read({ filter, after, limit: limit - messages.length })
    messages.push(...found.messages)
    after = found.next
    atEnd = found.atEnd
    if (i === 0) gap = found.gap && since !== undefined
  }
  return { messages: messages.map(messageView), next: after, atEnd, gap }
}
