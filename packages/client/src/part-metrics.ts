import { metricsOf } from './client-metrics.ts'
import type { Parts } from './parts.ts'

/** The part with which a client has `metrics`. */
export const metrics: Parts = { metrics: metricsOf }
