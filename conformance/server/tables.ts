import type { Table } from '../kit/row.ts'
import { aliases } from './aliases.ts'
import { auth } from './auth.ts'
import { clientId } from './client-id.ts'
import { connect } from './connect.ts'
import { delivery } from './delivery.ts'
import { expiry } from './expiry.ts'
import { flow } from './flow.ts'
import { limits } from './limits.ts'
import { malformed } from './malformed.ts'
import { malformedProperties } from './malformed-properties.ts'
import { ordering } from './ordering.ts'
import { otherSuites } from './other-suites.ts'
import { publishing } from './publish.ts'
import { qos } from './qos.ts'
import { retainHandling } from './retain-handling.ts'
import { retained } from './retained.ts'
import { sessions } from './sessions.ts'
import { shared } from './shared.ts'
import { sizes } from './sizes.ts'
import { subscribing } from './subscribe.ts'
import { topics } from './topics.ts'
import { unsubscribing } from './unsubscribe.ts'
import { webSocket } from './web-socket.ts'
import { willDelay } from './will-delay.ts'
import { wills } from './wills.ts'

/** Every table about the server, in the order of the specification. */
export const SERVER_TABLES: readonly Table[] = [
  connect,
  clientId,
  sessions,
  wills,
  willDelay,
  publishing,
  expiry,
  retained,
  retainHandling,
  aliases,
  subscribing,
  unsubscribing,
  auth,
  qos,
  delivery,
  ordering,
  topics,
  shared,
  flow,
  sizes,
  malformed,
  malformedProperties,
  webSocket,
  otherSuites,
  limits,
]
