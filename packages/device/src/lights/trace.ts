import type { DeviceMessage } from '../link.ts'

/** The User Property by which a command is followed on its way. */
export const TRACE_PROPERTY = 'pipit-trace'

/** A clock that other processes of the same machine can read too. */
export interface TraceClock {
  /** Two clocks of one name show the same time. */
  readonly name: string
  /** Microseconds. */
  now(): number
}

/** The identifier of a command that someone follows; undefined for all others. */
export function traceIdOf(message: DeviceMessage): string | undefined {
  const properties = message.properties?.userProperties
  return properties?.find(([name]) => name === TRACE_PROPERTY)?.[1]
}

/** The runtime's clock: only the time between two of its readings means something to others. */
export const ownTraceClock: TraceClock = { name: '', now: () => performance.now() * 1000 }
