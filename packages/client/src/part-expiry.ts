import { Expiry } from './expiry.ts'
import type { Parts } from './parts.ts'

export { MessageExpiredError } from './expiry.ts'

/** The part with which messages expire while they wait to be sent (the property `messageExpiryInterval`). */
export const expiry: Parts = { expiry: (platform) => new Expiry(platform) }
