import { Identifiers } from './identifiers.ts'
import type { Parts } from './parts.ts'

/** The part with which a message that two overlapping subscriptions of one client match goes to each once. */
export const identifiers: Parts = { identifiers: () => new Identifiers() }
