import type { Random, WallClock } from '../clock.ts'
import {
  afterAttempt,
  decideAttempt,
  type ReconnectSettings,
  type ReconnectState,
  type WakeTime,
} from '../reconnect/policy.ts'

export interface AttemptResult {
  readonly connected: boolean
  /** Connections tried; 0 on a wake that was not to try. */
  readonly attempts: number
  /** What has to survive deep sleep. */
  readonly state: ReconnectState
  /** It differs from what was there before in something that matters: a connection that stands as ever writes
   *  nothing to flash. */
  readonly changed: boolean
  /** For a person: why it was tried or not. */
  readonly reason: string
}

/** Connects as the policy says: not at all while it has to wait; otherwise at once, and again at once until
 *  `maxAttempts` have failed in a row. */
export async function attemptConnection(
  client: { connect(): Promise<boolean> },
  settings: ReconnectSettings,
  state: ReconnectState,
  wake: Omit<WakeTime, 'now'> & { readonly now: WallClock },
  random?: Random,
): Promise<AttemptResult> {
  if (!settings.enabled) {
    const connected = await client.connect()
    return { connected, attempts: 1, state, changed: false, reason: 'every wake tries' }
  }
  const decision = decideAttempt(settings, state, { ...wake, now: wake.now() })
  const { reason } = decision
  if (!decision.attempt) {
    const changed = decision.state !== state
    return { connected: false, attempts: 0, state: decision.state, changed, reason }
  }
  let now = decision.state
  let connected = false
  let attempts = 0
  do {
    connected = await client.connect()
    attempts++
    now = afterAttempt(settings, now, connected, wake.now(), random)
  } while (!connected && now.attemptCount < settings.maxAttempts)
  const changed = !connected || state.attemptCount > 0 || state.waited !== undefined
  return { connected, attempts, state: now, changed, reason }
}
