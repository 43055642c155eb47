import type { Store } from './store.ts'

/** A store that lasts as long as the object: one session over several clients of one process, and tests. */
export function memoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  private readonly records = new Map<string, Uint8Array>()

  async open(): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map(this.records)
  }

  put(key: string, value: Uint8Array): void {
    this.records.set(key, value)
  }

  delete(key: string): void {
    this.records.delete(key)
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {}
}
