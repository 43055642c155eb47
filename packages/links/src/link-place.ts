import type { Transport } from '@pipit/client'

/** Where a link lives. */
export interface LinkPlace {
  /** The local broker: its URL, or a way to reach it. */
  readonly local: string | Transport
  /** A folder for what is in flight at QoS 2: without one, a crash of the link's process may repeat some of it. It is
   *  made. */
  readonly folder?: string
  /** Told what an operator wants to know. */
  readonly log?: (level: 'info' | 'warn', message: string) => void
}

/** What a link has done. */
export interface LinkMetrics {
  readonly name: string
  readonly connected: boolean
  /** Messages that the other end has acknowledged; at QoS 0, that were handed to it. */
  readonly out: number
  readonly in: number
  /** Messages that an end would not have. */
  readonly dropped: number
  /** Messages under way. */
  readonly pending: number
}
