import type { Parts } from './parts.ts'
import { policyOf } from './queue-policies.ts'

export { MessageDroppedError } from './queue-policies.ts'

/** The part with which a full queue drops its oldest message, or keeps the newest of each topic
 *  (the option `queue.policy`). */
export const policies: Parts = { policies: policyOf }
