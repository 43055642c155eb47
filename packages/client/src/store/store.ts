import { MqttError } from '@pipit/protocol'

/** Keeps a session's records over the end of the process. Records are small and named by short keys.
 *  Every store passes one contract suite (test/stores.test.ts). */
export interface Store {
  /** Opens it and gives every record. Called once, before anything else. */
  open(): Promise<ReadonlyMap<string, Uint8Array>>
  /** Writes or replaces a record. The bytes are the store's from now on. */
  put(key: string, value: Uint8Array): void
  delete(key: string): void
  /** Resolves when every change made before is safe, even from a power cut; rejects when one is not. */
  commit(): Promise<void>
  /** Commits and closes. */
  close(): Promise<void>
}

/** The store could not keep what it was given. */
export class StoreError extends MqttError {
  constructor(message: string, cause?: unknown) {
    super('STORE_FAILED', message, { cause })
  }
}
