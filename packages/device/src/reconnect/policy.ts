import type { Random } from '../clock.ts'

/** When a sleeping device may try to connect. */
export interface ReconnectSettings {
  /** false: every wake tries, once. */
  readonly enabled: boolean
  /** Failures in a row before waiting begins. */
  readonly maxAttempts: number
  /** What each further failure multiplies the wait with, 1 or more. */
  readonly backoffFactor: number
  /** The first wait, in seconds. */
  readonly minInterval: number
  /** The longest wait, in seconds. */
  readonly maxInterval: number
  /** The part of a wait, 0 to 0.5, by which chance may shorten it, so that a fleet does not come back at one
   *  moment. 0: the waits are exact. */
  readonly spread: number
}

export const DEFAULT_RECONNECT: ReconnectSettings = {
  enabled: true,
  maxAttempts: 3,
  backoffFactor: 2,
  minInterval: 3600,
  maxInterval: 21_600,
  spread: 0,
}

/** What survives deep sleep. */
export interface ReconnectState {
  /** Failures in a row. */
  readonly attemptCount: number
  /** Seconds since 1970, by the device's clock at that time. */
  readonly lastAttemptTime: number
  /** Seconds slept since the last attempt, counted while the clock could not be believed. Default 0. */
  readonly waited?: number
  /** The part by which the present wait is shortened. Default 0. */
  readonly shortened?: number
}

export const FRESH: ReconnectState = { attemptCount: 0, lastAttemptTime: 0 }

/** What a wake knows of time. */
export interface WakeTime {
  /** Seconds since 1970 by the device's clock, right or wrong. */
  readonly now: number
  /** Seconds it was to sleep before this wake; used only while the clock cannot be believed. Default 900. */
  readonly slept?: number
  /** Seconds until the next wake. With it a wait of `maxInterval` may end at the last wake within it instead of
   *  the first after it, so that the attempts of a day do not become fewer than `maxInterval` promises. */
  readonly nextWakeIn?: number
}

export interface AttemptDecision {
  readonly attempt: boolean
  /** Seconds until there may be an attempt; 0 when there may be one now. */
  readonly waitSeconds: number
  /** For a person: why. */
  readonly reason: string
  /** What has to be saved before sleeping again; the state itself where nothing has changed. */
  readonly state: ReconnectState
}

/** A clock before 2020 has not been set since power came. */
const EARLIEST_BELIEVED = 1_577_836_800
const ASSUMED_SLEEP = 900

/** The wait after `attemptCount` failures in a row, in seconds:
 *  `minInterval × backoffFactor ^ (attemptCount − maxAttempts)`, `maxInterval` at most; 0 before `maxAttempts`. */
export function waitAfter(settings: ReconnectSettings, attemptCount: number): number {
  if (!settings.enabled || attemptCount < settings.maxAttempts) return 0
  const exponent = attemptCount - settings.maxAttempts
  return Math.min(settings.minInterval * settings.backoffFactor ** exponent, settings.maxInterval)
}

/** Says whether this wake may try to connect. A pure function: the same arguments give the same answer.
 *
 *  Elapsed time is the difference of two readings of a clock that can be believed. Where the clock ran backwards,
 *  has not been set or was set meanwhile, the seconds slept are counted instead: a wrong clock neither stalls
 *  the device nor has it try at every wake. */
export function decideAttempt(
  settings: ReconnectSettings,
  state: ReconnectState,
  wake: WakeTime,
): AttemptDecision {
  const full = waitAfter(settings, state.attemptCount)
  if (full === 0) return { attempt: true, waitSeconds: 0, reason: 'no wait is due', state }
  const { elapsed, state: counted } = sinceLastAttempt(state, wake)
  const atLongest = full >= settings.maxInterval
  const slack = atLongest ? (wake.nextWakeIn ?? 0) : 0
  const left = full * (1 - (state.shortened ?? 0)) - elapsed
  if (left <= 0 || left < slack) {
    return {
      attempt: true,
      waitSeconds: 0,
      reason: `${seconds(elapsed)} since the last attempt`,
      state: counted,
    }
  }
  const reason = `${state.attemptCount} attempts failed; the next is due in ${seconds(left)}`
  return { attempt: false, waitSeconds: left, reason, state: counted }
}

/** The state after an attempt: fresh on success, one failure more otherwise.
 *  @param now seconds since 1970 by the device's clock
 *  @param random shortens the next wait by up to `spread` of it */
export function afterAttempt(
  settings: ReconnectSettings,
  state: ReconnectState,
  connected: boolean,
  now: number,
  random?: Random,
): ReconnectState {
  if (connected) return { attemptCount: 0, lastAttemptTime: now }
  const attemptCount = Math.min(state.attemptCount + 1, Number.MAX_SAFE_INTEGER)
  const shortened = settings.spread === 0 || random === undefined ? 0 : settings.spread * random()
  return { attemptCount, lastAttemptTime: now, ...(shortened === 0 ? {} : { shortened }) }
}

/** Seconds since the last attempt, and the state that a wake which does not try leaves behind. */
function sinceLastAttempt(state: ReconnectState, wake: WakeTime): { elapsed: number; state: ReconnectState } {
  const { slept = ASSUMED_SLEEP } = wake
  const now = Number.isFinite(wake.now) ? wake.now : 0
  const { lastAttemptTime: last, waited = 0 } = state
  const believed = now >= EARLIEST_BELIEVED
  const sameEra = believed === last >= EARLIEST_BELIEVED
  if (believed && sameEra && now >= last) return { elapsed: now - last, state }
  const counted = waited + Math.max(0, slept)
  // A clock that can be believed again goes on from what was counted; the count stays, should it fall back.
  if (believed)
    return { elapsed: counted, state: { ...state, lastAttemptTime: now - counted, waited: counted } }
  const elapsed = sameEra && now >= last ? Math.max(counted, now - last) : counted
  return { elapsed, state: { ...state, lastAttemptTime: Math.min(last, now), waited: counted } }
}

function seconds(count: number): string {
  return `${Math.round(count)} s`
}
