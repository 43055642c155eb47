import type { Parts } from './parts.ts'
import { RequestResponse } from './request-response.ts'

export type { RequestOptions, Responder, RespondOptions, Response } from './request-response.ts'

/** The part with which a client has `request` and `respond`. */
export const requests: Parts = { requests: (...host) => new RequestResponse(...host) }
