import { LinkAliases } from './link-aliases.ts'
import type { Parts } from './parts.ts'

/** The part with which a client uses Topic Aliases, both ways (the option `topicAliases`). */
export const aliases: Parts = { aliases: (...made) => new LinkAliases(...made) }
