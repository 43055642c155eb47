import { aliases } from './part-aliases.ts'
import { authentication } from './part-authentication.ts'
import { durability } from './part-durability.ts'
import { expiry } from './part-expiry.ts'
import { identifiers } from './part-identifiers.ts'
import { metrics } from './part-metrics.ts'
import { pings } from './part-pings.ts'
import { policies } from './part-policies.ts'
import { quarantine } from './part-quarantine.ts'
import { references } from './part-references.ts'
import { requests } from './part-requests.ts'
import { telemetry } from './part-telemetry.ts'
import type { Parts } from './parts.ts'

/** A client that lacks nothing: Node's. */
export const EVERY_PART: Parts = {
  ...aliases,
  ...authentication,
  ...durability,
  ...expiry,
  ...identifiers,
  ...metrics,
  ...pings,
  ...policies,
  ...quarantine,
  ...references,
  ...requests,
  ...telemetry,
}
