import type { Authentication } from './authentication.ts'
import type { Authenticator } from './authenticator.ts'
import type { metricsOf } from './client-metrics.ts'
import { NotSupportedError } from './errors.ts'
import type { Expiry } from './expiry.ts'
import type { Identifiers } from './identifiers.ts'
import type { Journal } from './journal.ts'
import type { LinkAliases } from './link-aliases.ts'
import type { ping } from './pings.ts'
import type { Platform, Timing } from './platform.ts'
import type { Quarantine } from './quarantine.ts'
import type { policyOf } from './queue-policies.ts'
import type { followReference } from './references.ts'
import type { RequestResponse } from './request-response.ts'
import type { Store } from './store/store.ts'
import type { Telemetry, TelemetryApi } from './telemetry.ts'

/** What a client can do beyond its core. In Node it has every part; a page imports those that it wants
 *  and names them in the option `parts`. */
export interface Parts {
  /** @internal `request` and `respond`. */
  readonly requests?: (...host: ConstructorParameters<typeof RequestResponse>) => RequestResponse
  /** @internal The option `store`. */
  readonly durability?: (store: Store) => Journal
  /** @internal The option `authenticator`, and `reauthenticate`. */
  readonly authentication?: (authenticator: Authenticator) => Authentication
  /** @internal The option `poisonLimit`. */
  readonly quarantine?: (...made: ConstructorParameters<typeof Quarantine>) => Quarantine
  /** @internal The option `topicAliases`, and Topic Aliases from the server. */
  readonly aliases?: (...made: ConstructorParameters<typeof LinkAliases>) => LinkAliases
  /** @internal The option `queue.policy`. */
  readonly policies?: typeof policyOf
  /** @internal The option `followServerReference`. */
  readonly references?: typeof followReference
  /** @internal Message Expiry Intervals while messages wait. */
  readonly expiry?: (platform: Platform) => Expiry
  /** @internal Subscription Identifiers. */
  readonly identifiers?: () => Identifiers
  /** @internal `ping`. */
  readonly pings?: typeof ping
  /** @internal `metrics`. */
  readonly metrics?: typeof metricsOf
  /** @internal Timers that a background tab does not hold back. */
  readonly timers?: () => Timing
  /** @internal The option `telemetry`. */
  readonly telemetry?: (api: TelemetryApi) => Telemetry
}

/** The part that an option or a call takes. @throws NotSupportedError naming what to import */
export function need<Name extends keyof Parts>(parts: Parts, name: Name): NonNullable<Parts[Name]> {
  const part = parts[name]
  if (part === undefined)
    throw new NotSupportedError(`add ${name} of @pipit/client/${name} to the option parts`)
  return part as NonNullable<Parts[Name]>
}
