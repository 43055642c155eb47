import type { Parts } from './parts.ts'
import { ping } from './pings.ts'

/** The part with which a client has `ping`. */
export const pings: Parts = { pings: ping }
