// An HTTP server for bench/bridge: `bridge FILE`, the API on the embedded engine, or `bare`, a fastify route that
// checks the same body and answers the same without keeping anything. Prints its port.
import { createApi, openEngine } from '@pipit/bridge'
import fastify from 'fastify'

const [kind = '', file = ''] = process.argv.slice(2)
const app = kind === 'bridge' ? await createApi({ engine: openEngine({ queue: file }) }) : bare()
const address = await app.listen({ host: '127.0.0.1', port: 0 })
console.log(new URL(address).port)

function bare() {
  const server = fastify()
  const body = {
    type: 'object',
    required: ['topic'],
    properties: {
      topic: { type: 'string', minLength: 1 },
      payload: { type: 'string' },
      qos: { enum: [1, 2] },
    },
  }
  const accepted = { type: 'object', properties: { id: { type: 'string' }, status: { type: 'string' } } }
  let last = 0
  server.post('/v1/commands', { schema: { body, response: { 202: accepted } } }, async (_, reply) => {
    const id = String(++last)
    return reply.code(202).header('location', `/v1/commands/${id}`).send({ id, status: 'queued' })
  })
  return server
}
