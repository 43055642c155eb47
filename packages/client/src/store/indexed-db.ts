import { type Store, StoreError } from './store.ts'

/** What is used of IndexedDB; the types of the page are not needed to compile. */
interface Request<T> {
  result: T
  error: unknown
  onsuccess: (() => void) | null
  onerror: (() => void) | null
}
interface ObjectStore {
  put(value: Uint8Array, key: string): unknown
  delete(key: string): unknown
  getAll(): Request<Uint8Array[]>
  getAllKeys(): Request<string[]>
}
interface Transaction {
  objectStore(name: string): ObjectStore
  error: unknown
  oncomplete: (() => void) | null
  onabort: (() => void) | null
}
interface Database {
  createObjectStore(name: string): unknown
  transaction(name: string, mode: string, options?: { durability: string }): Transaction
  close(): void
}
interface OpenRequest extends Request<Database> {
  onupgradeneeded: (() => void) | null
}
interface Factory {
  open(name: string, version: number): OpenRequest
}

const RECORDS = 'records'

/** Keeps a session in the browser's IndexedDB, under a name. One client at a time.
 *  @throws StoreError (when the client opens it) where there is no IndexedDB */
export function indexedDbStore(name: string): Store {
  return new IndexedDbStore(name)
}

class IndexedDbStore implements Store {
  private readonly name: string
  private database: Database | undefined = undefined
  private changes = new Map<string, Uint8Array | undefined>()
  private writing: Promise<void> = Promise.resolve()
  private planned: Promise<void> | undefined = undefined

  constructor(name: string) {
    this.name = name
  }

  async open(): Promise<ReadonlyMap<string, Uint8Array>> {
    const factory = (globalThis as { indexedDB?: Factory }).indexedDB
    if (factory === undefined) throw new StoreError('there is no IndexedDB here')
    const opening = factory.open(`pipit:${this.name}`, 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore(RECORDS)
    const database = await result(opening)
    this.database = database
    const records = database.transaction(RECORDS, 'readonly').objectStore(RECORDS)
    const [keys, values] = await Promise.all([result(records.getAllKeys()), result(records.getAll())])
    return new Map(keys.map((key, i) => [key, values[i]!]))
  }

  put(key: string, value: Uint8Array): void {
    this.changes.set(key, value)
  }

  delete(key: string): void {
    this.changes.set(key, undefined)
  }

  /** Changes made while one transaction is on its way leave together in the next. */
  commit(): Promise<void> {
    if (this.changes.size === 0) return this.writing
    this.planned ??= this.writing
      .catch(() => {})
      .then(() => {
        this.planned = undefined
        this.writing = this.write()
        return this.writing
      })
    return this.planned
  }

  async close(): Promise<void> {
    try {
      await this.commit()
    } finally {
      this.database?.close()
    }
  }

  private write(): Promise<void> {
    const changes = this.changes
    this.changes = new Map()
    return new Promise((resolve, reject) => {
      const transaction = this.database!.transaction(RECORDS, 'readwrite', { durability: 'strict' })
      const records = transaction.objectStore(RECORDS)
      for (const [key, value] of changes) {
        if (value === undefined) records.delete(key)
        else records.put(value, key)
      }
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(new StoreError(`IndexedDB: ${transaction.error}`, transaction.error))
    })
  }
}

function result<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(new StoreError(`IndexedDB: ${request.error}`, request.error))
  })
}
