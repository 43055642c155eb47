import { randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { HookState } from '../../engine/hooks.ts'
import { isInsideHost } from '../../worker/inside.ts'
import { mayRead } from '../access.ts'
import { DeadLetters, Hooks, NewHook } from '../answers.ts'
import type { Routes } from '../context.ts'
import { checkedFilter } from '../fields.ts'
import { newId } from '../ids.ts'
import { Problem } from '../problem.ts'
import { HookBody, IdParams } from '../schemas.ts'

/** Webhooks: where messages of a filter are sent to. */
export const hookRoutes: Routes = (app, { engine, hooksInside }) => {
  app.post<{ Body: Static<typeof HookBody> }>(
    '/v1/hooks',
    {
      schema: {
        summary: 'Have messages sent to a URL',
        body: HookBody,
        answers: { 201: NewHook },
        refusals: [403, 503],
      },
    },
    async (request, reply) => {
      const { caller, body } = request
      if (caller.hooks === false) throw new Problem(403, `${caller.name} may not have webhooks`)
      const filter = checkedFilter(body.filter, '/filter')
      mayRead(caller, filter, '/filter')
      const secret = body.secret ?? randomBytes(24).toString('base64url')
      const createdAt = Date.now()
      const hook = {
        id: newId(createdAt),
        filter,
        url: urlOf(body.url, hooksInside),
        secret,
        owner: caller.name,
        createdAt,
      }
      await engine.hooks.add(hook)
      const { id, url } = hook
      return reply.code(201).header('location', `/v1/hooks/${id}`).send({ id, filter, url, secret })
    },
  )

  const listed = { summary: 'Your webhooks', answers: { 200: Hooks }, refusals: [503] }
  app.get('/v1/hooks', { schema: listed }, async ({ caller }) => {
    const hooks = (await engine.hooks.list()).filter(({ owner }) => owner === caller.name)
    return { hooks: hooks.map(view) }
  })

  app.delete<{ Params: { id: string } }>(
    '/v1/hooks/:id',
    {
      schema: {
        summary: 'End a webhook',
        params: IdParams,
        response: { 204: Type.Null({ description: 'It has ended' }) },
        refusals: [404, 503],
      },
    },
    async ({ params, caller }, reply) => {
      if (!(await engine.hooks.remove(params.id, caller.name))) throw notFound(params.id)
      return reply.code(204).send(null)
    },
  )

  app.get<{ Params: { id: string } }>(
    '/v1/hooks/:id/dead-letters',
    {
      schema: {
        summary: 'Messages that a webhook did not take, the newest first',
        params: IdParams,
        answers: { 200: DeadLetters },
        refusals: [404, 503],
      },
    },
    async (request) => {
      const { id } = await own(request)
      const dead = await engine.hooks.deadLetters(id, 100)
      return {
        deadLetters: dead.map(({ cursor, topic, reason, at }) => ({
          cursor,
          topic,
          reason,
          at: new Date(at).toISOString(),
        })),
      }
    },
  )

  async function own({ params, caller }: FastifyRequest<{ Params: { id: string } }>): Promise<HookState> {
    const hook = (await engine.hooks.list()).find(
      ({ id, owner }) => id === params.id && owner === caller.name,
    )
    if (hook === undefined) throw notFound(params.id)
    return hook
  }
}

function view({ id, filter, url, cursor, failures, nextAt, createdAt }: HookState): object {
  return {
    id,
    filter,
    url,
    cursor,
    failures,
    nextAttempt: nextAt > Date.now() ? new Date(nextAt).toISOString() : undefined,
    createdAt: new Date(createdAt).toISOString(),
  }
}

function urlOf(text: string, isInsideAllowed: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw Problem.field('/url', 'is no address that begins with http:// or https://')
  }
  // What a name stands for is seen when it is connected to.
  if (!isInsideAllowed && isInsideHost(url.hostname)) {
    throw Problem.field('/url', 'is an address inside, where webhooks may not reach')
  }
  return url.href
}

function notFound(id: string): Problem {
  return new Problem(404, `there is no webhook ${id}`)
}
