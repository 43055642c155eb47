import type { Place } from './sphere.ts'

/** One stroke as the relay tells it. */
export interface Stroke extends Place {
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint
  readonly status: number | undefined
  readonly region: number | undefined
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
type ParseWithSource = (text: string, reviver: Reviver) => unknown

/** The nanoseconds are more than a number holds exactly, so they are read from the text itself. */
const keepTime: Reviver = (key, value, context) =>
  key === 'time' && typeof value === 'number' ? (context.source ?? value) : value

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Reads a stroke: JSON with `lat`, `lon`, `time` in nanoseconds, and perhaps `status` and `region`.
 *  @throws SyntaxError, TypeError for what is none */
export function readStroke(payload: Uint8Array): Stroke {
  const json = (JSON.parse as ParseWithSource)(decoder.decode(payload), keepTime)
  if (typeof json !== 'object' || json === null) throw new TypeError('a stroke is a JSON object')
  const { lat, lon, time, status, region } = json as Record<string, unknown>
  if (typeof lat !== 'number' || !(Math.abs(lat) <= 90)) throw new TypeError('"lat" is no latitude')
  if (typeof lon !== 'number' || !(Math.abs(lon) <= 180)) throw new TypeError('"lon" is no longitude')
  if (typeof time !== 'string' || !/^\d{1,19}$/.test(time)) throw new TypeError('"time" is no time')
  const timeNs = BigInt(time)
  if (timeNs > 9_223_372_036_854_775_807n) throw new TypeError('"time" is no time')
  return { latitude: lat, longitude: lon, timeNs, status: whole(status), region: whole(region) }
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}
