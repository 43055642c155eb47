import type { Parts } from './parts.ts'
import { followReference } from './references.ts'

/** The part with which a client goes where a server points (the option `followServerReference`). */
export const references: Parts = { references: followReference }
