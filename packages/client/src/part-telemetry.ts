import type { Parts } from './parts.ts'
import { Telemetry } from './telemetry.ts'

export type { TelemetryApi } from './telemetry.ts'

/** The part with which a client takes the option `telemetry`. */
export const telemetry: Parts = { telemetry: (api) => new Telemetry(api) }
