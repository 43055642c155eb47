import type { FastifyInstance } from 'fastify'
import type { Engine } from '../engine/engine.ts'
import type { Caller } from './access.ts'
import type { BrokerLink } from './broker-link.ts'
import type { Counters } from './counters.ts'
import type { Streams } from './streams.ts'

/** What routes work with. */
export interface Context {
  readonly engine: Engine
  readonly counters: Counters
  readonly streams: Streams
  readonly broker: BrokerLink
  /** Whether webhooks may be for this machine and private networks. */
  readonly hooksInside: boolean
}

/** Adds a few routes. */
export type Routes = (app: FastifyInstance, context: Context) => void

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
}
