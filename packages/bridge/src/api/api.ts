import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'
import type { Engine } from '../engine/engine.ts'
import type { BrokerOptions } from '../worker/connection.ts'
import type { Log } from '../worker/log.ts'
import { Access, type ApiKey, type Caller, type JwtOptions, type RateLimit } from './access.ts'
import { BrokerLink } from './broker-link.ts'
import { answerClientError } from './client-errors.ts'
import type { Context } from './context.ts'
import { Counters } from './counters.ts'
import { problemOf, type SchemaFault, schemaProblem } from './faults.ts'
import { Methods } from './methods.ts'
import { OPEN_PATHS } from './open-paths.ts'
import { documentation } from './openapi.ts'
import { Problem } from './problem.ts'
import { RateLimits } from './rate-limits.ts'
import { commandRoutes } from './routes/commands.ts'
import { docRoutes } from './routes/docs.ts'
import { hookRoutes } from './routes/hooks.ts'
import { messageRoutes } from './routes/messages.ts'
import { requestRoutes } from './routes/request.ts'
import { stateRoutes } from './routes/state.ts'
import { Streams } from './streams.ts'

export interface ApiOptions {
  readonly engine: Engine
  /** For `POST /v1/request`. */
  readonly broker?: BrokerOptions
  /** Who may do what. With neither keys nor jwt everybody may do everything. */
  readonly keys?: readonly ApiKey[]
  readonly jwt?: JwtOptions
  /** For each caller whose key has no limit of its own. Default: none. */
  readonly rate?: RateLimit
  /** Whether webhooks may be for this machine and private networks; their worker has its own say. Default: unless
   *  there are keys or jwt. */
  readonly hooksInside?: boolean
  /** Bytes. Default 1048576. */
  readonly bodyLimit?: number
  /** How long a request may take to come, its body included, milliseconds. Default 60000. */
  readonly requestTimeoutMs?: number
  readonly log?: Log
}

/** Makes the HTTP API; it keeps nothing that another process would need. Listen with `app.listen`, end it with
 *  `app.close`, and close the engine afterwards.
 *  @throws TypeError for keys that are not right */
export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const { engine, log } = options
  const counters = new Counters()
  const context: Context = {
    engine,
    counters,
    streams: new Streams(engine),
    broker: new BrokerLink(options.broker),
    hooksInside: options.hooksInside ?? (options.keys === undefined && options.jwt === undefined),
  }
  const { requestTimeoutMs = 60_000 } = options
  const app = fastify({
    // Nobody holds a connection open by sending little by little.
    requestTimeout: requestTimeoutMs,
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(requestTimeoutMs, 5_000),
    },
    bodyLimit: options.bodyLimit ?? 1_048_576,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 65_535 },
    // What the router cannot read.
    frameworkErrors: (error, _, reply) => answer(reply, problemOf(error)),
    clientErrorHandler: answerClientError,
  })
  const methods = new Methods(app)
  app.setValidatorCompiler<TSchema>(validator)
  app.setSchemaErrorFormatter((errors, part) => schemaProblem(errors as readonly SchemaFault[], part))
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    if (problem.status === 500) log?.(`${request.method} ${request.url}: ${(error as Error).stack ?? error}`)
    return answer(reply, problem)
  })
  app.setNotFoundHandler(({ url, method }, reply) => answer(reply, notFound(url, method, methods)))
  app.addHook('onResponse', (_, reply, done) => {
    counters.answered(reply.statusCode)
    done()
  })
  guard(app, options)
  await app.register(swagger, documentation)
  for (const routes of [commandRoutes, messageRoutes, requestRoutes, hookRoutes, stateRoutes, docRoutes]) {
    // Registered behind the documentation, which lists what comes after it.
    app.register(async (scope) => routes(scope, context))
  }
  app.addHook('preClose', async () => {
    context.streams.close()
    await context.broker.close()
  })
  await app.ready()
  return app
}

/** Lets in who is known, as often as it may come. */
function guard(app: FastifyInstance, { keys, jwt, rate }: ApiOptions): void {
  const access = new Access(keys, jwt)
  const limits = new RateLimits()
  app.decorateRequest('caller')
  const admit = (request: FastifyRequest, caller: Caller): void => {
    request.caller = caller
    const limit = caller.rate ?? rate
    if (limit !== undefined) limits.take(caller.name, limit, performance.now())
  }
  app.addHook('onRequest', (request, _, done) => {
    if (OPEN_PATHS.has(request.url.split('?', 1)[0] ?? '')) return done()
    try {
      const token = tokenOf(request)
      const caller = access.known(token)
      if (caller === undefined) {
        access
          .verified(token ?? '')
          .then((verified) => admit(request, verified))
          .then(() => done(), done)
        return
      }
      admit(request, caller)
      done()
    } catch (error) {
      done(error as Error)
    }
  })
}

function notFound(url: string, method: string, methods: Methods): Problem {
  const allow = methods.of(url)
  if (allow.length === 0) return new Problem(404, `there is no ${url}; see /docs`)
  return new Problem(405, `${method} is not for ${url}, but ${allow.join(', ')}; see /docs`, { allow })
}

function tokenOf({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
  const key = headers['x-api-key']
  return bearer ?? (typeof key === 'string' ? key : undefined)
}

/** Bodies are taken as they are; what comes in the address is text, and is read as what the schema asks for. */
function validator({ schema, httpPart }: { schema: TSchema; httpPart?: string }) {
  const compiled = Compile(schema)
  return (value: unknown) => {
    const read = httpPart === 'body' ? value : Value.Convert(schema, value)
    return compiled.Check(read) ? { value: read } : { error: compiled.Errors(read) as never }
  }
}

function answer(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.retryAfter !== undefined) reply.header('retry-after', problem.retryAfter)
  if (problem.allow !== undefined) reply.header('allow', problem.allow.join(', '))
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  // Text, not an object: the schema of the route's answers is not meant for it.
  return reply
    .code(problem.status)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problem.body())
}
