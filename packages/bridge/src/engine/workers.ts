/** What a worker says of itself, every few seconds. */
export interface WorkerReport {
  /** `host/pid/…` */
  readonly name: string
  /** It has a connection to the broker. */
  readonly isConnected: boolean
  /** Publishes that were acknowledged, messages that were stored, and messages of QoS 0 that came too fast, since
   *  it began. */
  readonly acknowledged: number
  readonly stored: number
  readonly dropped: number
  /** Not believed from then on, milliseconds since the epoch. */
  readonly until: number
}

/** Who is at work. It need not be durable. Every method rejects with EngineUnavailableError when it cannot do its
 *  work. */
export interface WorkerStore {
  /** Keeps a worker's report in the place of its last one, and forgets those that are not believed any more: its own
   *  too, when its `until` has come. */
  report(report: WorkerReport, now: number): Promise<void>
  /** The reports that are believed, by name; those of processes that are known to have ended are left out. */
  list(now: number): Promise<readonly WorkerReport[]>
}
