import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Command, NewCommand } from '../../engine/commands.ts'
import { payloadView } from '../../engine/view.ts'
import { mayPublish } from '../access.ts'
import { Command as CommandAnswer } from '../answers.ts'
import type { Context, Routes } from '../context.ts'
import { checkedTopic, payloadOf, propertiesOf, timeOf } from '../fields.ts'
import { newId } from '../ids.ts'
import { Problem } from '../problem.ts'
import { Accepted, AcceptedBatch, BatchBody, CommandBody, IdempotencyHeaders, IdParams } from '../schemas.ts'

const IDEMPOTENCY_MS = 86_400_000

/** Commands: put into the queue, looked at, taken out. */
export const commandRoutes: Routes = (app, context) => {
  app.post<{ Body: CommandBody }>(
    '/v1/commands',
    {
      schema: {
        summary: 'Publish a message, soon and surely',
        body: CommandBody,
        headers: IdempotencyHeaders,
        response: { 202: Accepted },
        refusals: [403, 409, 503],
      },
    },
    async (request, reply) => {
      const command = commandOf(request.body, request, '')
      const [id = command.id] = await add(context, request, [command])
      return reply.code(202).header('location', `/v1/commands/${id}`).send({ id, status: 'queued' })
    },
  )

  app.post<{ Body: { commands: CommandBody[] } }>(
    '/v1/commands/batch',
    {
      schema: {
        summary: 'Publish several messages: all of them, or none',
        body: BatchBody,
        headers: IdempotencyHeaders,
        response: { 202: AcceptedBatch },
        refusals: [403, 409, 503],
      },
    },
    async (request, reply) => {
      const commands = request.body.commands.map((body, i) => commandOf(body, request, `/commands/${i}`))
      const ids = await add(context, request, commands)
      return reply.code(202).send({ ids, status: 'queued' })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/v1/commands/:id',
    {
      schema: {
        summary: 'What became of a command',
        params: IdParams,
        answers: { 200: CommandAnswer },
        refusals: [404, 503],
      },
    },
    async (request) => view(await find(context, request)),
  )

  app.delete<{ Params: { id: string } }>(
    '/v1/commands/:id',
    {
      schema: {
        summary: 'Take back a command that is queued',
        params: IdParams,
        response: { 204: Type.Null({ description: 'It is taken back' }) },
        refusals: [404, 409, 503],
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const state = await context.engine.commands.cancel(id, request.caller.name, Date.now())
      if (state === undefined) throw notFound(id)
      if (state !== 'cancelled')
        throw new Problem(409, `the command is ${state}; only a queued one can be taken back`)
      return reply.code(204).send(null)
    },
  )
}

function commandOf(body: CommandBody, { caller }: FastifyRequest, field: string): NewCommand {
  const now = Date.now()
  const topic = checkedTopic(body.topic, `${field}/topic`)
  mayPublish(caller, topic, `${field}/topic`)
  const { notBefore, expiresIn, qos = 1, retain = false, ordered } = body
  return {
    id: newId(now),
    topic,
    payload: payloadOf(body, field),
    qos,
    retain,
    properties: propertiesOf(body.properties, `${field}/properties`),
    orderKey: ordered === true ? topic : undefined,
    notBefore: notBefore === undefined ? now : timeOf(notBefore, `${field}/notBefore`),
    expiresAt: expiresIn === undefined ? undefined : now + expiresIn * 1000,
    owner: caller.name,
    createdAt: now,
  }
}

/** @returns the ids, which are those of the first time when the request comes again */
async function add(
  { engine, counters }: Context,
  request: FastifyRequest,
  commands: readonly NewCommand[],
): Promise<readonly string[]> {
  const key = request.headers['idempotency-key']
  const ids = commands.map(({ id }) => id)
  if (typeof key !== 'string') {
    await engine.commands.add(commands)
    counters.accepted.commands += ids.length
    return ids
  }
  const digest = createHash('sha256')
    .update(`${request.url}\n${JSON.stringify(request.body)}`)
    .digest('hex')
  const once = { owner: request.caller.name, key, digest, expiresAt: Date.now() + IDEMPOTENCY_MS }
  const added = await engine.commands.add(commands, once)
  if (added.kind === 'conflict') {
    throw Problem.field('idempotency-key', 'came before, with another body', 409)
  }
  if (added.kind === 'repeated') counters.accepted.repeated++
  else counters.accepted.commands += ids.length
  return added.kind === 'repeated' ? added.ids : ids
}

async function find(
  { engine }: Context,
  request: FastifyRequest<{ Params: { id: string } }>,
): Promise<Command> {
  const { id } = request.params
  const command = await engine.commands.find(id, Date.now())
  if (command === undefined || command.owner !== request.caller.name) throw notFound(id)
  return command
}

function notFound(id: string): Problem {
  return new Problem(404, `there is no command ${id}, or no longer`)
}

function view(command: Command): object {
  const { id, topic, payload, qos, retain, properties, state, attempts, reasonCode, reason } = command
  const time = (ms: number): string => new Date(ms).toISOString()
  return {
    id,
    status: state,
    topic,
    ...payloadView(payload),
    qos,
    retain,
    properties,
    attempts,
    reasonCode,
    reason,
    createdAt: time(command.createdAt),
    updatedAt: time(command.updatedAt),
    notBefore: time(command.notBefore),
    expiresAt: command.expiresAt === undefined ? undefined : time(command.expiresAt),
  }
}
