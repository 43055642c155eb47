import type { CollectorEventMap } from './events.ts'

/** What a collector takes, from its broker or from anywhere else. */
export interface Incoming {
  readonly topic: string
  readonly payload: Uint8Array
}

/** Where a collector stands with its broker. */
export type CollectorState =
  | { readonly state: 'idle' | 'connecting' | 'connected' | 'stopped' }
  /** For the next attempt, after one that failed. */
  | {
      readonly state: 'waiting'
      readonly retryInMs: number
      readonly failures: number
      readonly error: Error
    }
  /** The broker said no, to the connection or to the subscription; it is asked again after `retryInMs`, or at
   *  the next connection where that is absent. */
  | { readonly state: 'refused'; readonly why: string; readonly retryInMs?: number; readonly error: Error }

export interface CollectorMetrics {
  /** Connections tried. */
  readonly attempts: number
  /** Failures by reason. */
  readonly failures: Readonly<Record<string, number>>
  readonly reconnects: number
  /** Messages taken, from the broker and through `ingest`. */
  readonly messages: number
  /** Milliseconds since the epoch; undefined before the first message. */
  readonly lastDataAt: number | undefined
  /** Records handed to the store. */
  readonly records: number
  /** Messages that gave no records, by reason. */
  readonly skipped: Readonly<Record<string, number>>
}

/** Gathers data in the background and stores it, whatever becomes of its broker. */
export interface Collector {
  readonly name: string
  readonly state: CollectorState
  /** Begins to connect, and returns at once; a second call does nothing.
   *  @throws Error after `stop` */
  start(): void
  /** Ends the connection and writes what was gathered. Always settles; safe to call again. */
  stop(): Promise<void>
  metrics(): CollectorMetrics
  /** Takes data that came another way, connected or not; it is stored the same. Never throws. */
  ingest(message: Incoming): void
  /** Calls `handler` at each such event. @returns a function that ends that */
  on<Name extends keyof CollectorEventMap>(
    event: Name,
    handler: (value: CollectorEventMap[Name]) => unknown,
  ): () => void
}
