import { Journal } from './journal.ts'
import type { Parts } from './parts.ts'

export { indexedDbStore } from './store/indexed-db.ts'
export { memoryStore } from './store/memory.ts'
export { type Store, StoreError } from './store/store.ts'

/** The part with which a client takes the option `store`. */
export const durability: Parts = { durability: (store) => new Journal(store) }
