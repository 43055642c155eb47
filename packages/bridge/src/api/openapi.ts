import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
import { Type } from 'typebox'
import { OPEN_PATHS } from './open-paths.ts'
import { TITLES } from './problem.ts'

declare module 'fastify' {
  interface FastifySchema {
    /** What is answered, by status, where `response` does not say it: for the documentation alone. */
    readonly answers?: Readonly<Record<number, object>>
    /** Statuses of problems that this call has beside those that come of its form. */
    readonly refusals?: readonly number[]
  }
}

const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String({ description: 'What was wrong, and what would be right.' }),
  errors: Type.Optional(
    Type.Array(
      Type.Object({
        field: Type.String({
          description: 'A JSON Pointer into the body, or the name of a parameter or header.',
        }),
        message: Type.String(),
      }),
    ),
  ),
})

const DESCRIPTION = `HTTP in front, MQTT behind. 202 means that a command is durable and will be published.
Errors are application/problem+json (RFC 9457) and name the field.`

/** How the calls are described for programs. */
export const documentation: FastifyDynamicSwaggerOptions = {
  openapi: {
    info: { title: 'Pipit bridge', version: '1', description: DESCRIPTION },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key, or a JWT.' },
        key: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
    },
    security: [{ bearer: [] }, { key: [] }],
  },
  transform: ({ schema, url }) => {
    if (schema === undefined) return { schema, url }
    const { answers, refusals, ...rest } = schema
    const isOpen = OPEN_PATHS.has(url)
    const response = { ...problems(schema, isOpen), ...(schema.response as object), ...answers }
    const described = { ...rest, response, ...(isOpen ? { security: [] } : {}) }
    // What the router calls * is a topic.
    if (!url.endsWith('/*')) return { schema: described, url }
    const params = Type.Object({ topic: Type.String({ description: 'A Topic Name, slashes and all.' }) })
    return { schema: { ...described, params }, url: url.replace('*', ':topic') }
  },
}

function problems(schema: FastifySchema, isOpen: boolean): Record<number, object> {
  const statuses = new Set(schema.refusals)
  if (!isOpen) for (const status of [401, 429]) statuses.add(status)
  if (schema.body !== undefined) for (const status of [400, 413, 415]) statuses.add(status)
  if (schema.querystring !== undefined) statuses.add(400)
  const answer = (status: number): [number, object] => [
    status,
    {
      description: TITLES[status] ?? 'A problem',
      content: { 'application/problem+json': { schema: Problem } },
    },
  ]
  return Object.fromEntries(Array.from(statuses, answer))
}
