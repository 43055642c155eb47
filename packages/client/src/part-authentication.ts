import { Authentication } from './authentication.ts'
import type { Parts } from './parts.ts'

export { AuthenticationError, type Authenticator } from './authenticator.ts'
export { type ScramOptions, scramSha256 } from './scram.ts'

/** The part with which a client takes the option `authenticator`, and has `reauthenticate`. */
export const authentication: Parts = { authentication: (authenticator) => new Authentication(authenticator) }
