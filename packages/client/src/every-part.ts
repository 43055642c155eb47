import { aliases } from './part-aliases.ts'
import { authentication } from './part-authentication.ts'
import { durability } from './part-durability.ts'
import { quarantine } from './part-quarantine.ts'
import { requests } from './part-requests.ts'
import { telemetry } from './part-telemetry.ts'
import type { Parts } from './parts.ts'

/** A client that lacks nothing: Node's. */
export const EVERY_PART: Parts = {
  ...aliases,
  ...authentication,
  ...durability,
  ...quarantine,
  ...requests,
  ...telemetry,
}
