import type { Parts } from './parts.ts'
import { Quarantine } from './quarantine.ts'

export { PoisonMessageError } from './quarantine.ts'

/** The part with which a message that ends the connection again and again is set aside (the option `poisonLimit`). */
export const quarantine: Parts = { quarantine: (...made) => new Quarantine(...made) }
