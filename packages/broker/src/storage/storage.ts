import type { StorageError } from './engine.ts'
import { type Durability, Journal } from './journal.ts'
import { FolderLock } from './lock.ts'
import { recover } from './recovery.ts'
import { type Restorable, restore } from './restore.ts'
import { ThreadWriter } from './writer.ts'

/** What the options of a broker say about storage. */
export interface StorageOptions {
  readonly durability?: Durability
  readonly durabilityIntervalMs?: number
  readonly durabilityByFilter?: readonly { readonly durability: Durability }[]
}

/** Says what happens to storage; a part of the broker's logger. */
export interface StorageLog {
  warn(data: object, message: string): void
  error(data: object, message: string): void
}

/** An open data folder. */
export interface Storage {
  readonly journal: Journal
  /** Writes what is left and gives the folder free. */
  close(): Promise<void>
}

/** Opens a data folder, puts back what it holds, and begins to write.
 *  @throws StorageError LOCKED (saying by which process), NEWER_FORMAT, READ_ONLY, FULL… */
export function openStorage(
  folder: string,
  options: StorageOptions,
  broker: Restorable,
  log: StorageLog,
): Storage {
  const lock = new FolderLock(folder)
  try {
    const { state, warnings } = recover(folder)
    for (const warning of warnings) log.error({ folder }, warning)
    const { next, leftovers } = restore(state, broker)
    const {
      durability = 'always',
      durabilityIntervalMs: intervalMs = 1000,
      durabilityByFilter = [],
    } = options
    const journal = new Journal({ durability, intervalMs }, next, (error) => {
      changed(error, folder, log)
      if (error === undefined) broker.storageWorks()
    })
    const sync = durability !== 'off' || durabilityByFilter.some((each) => each.durability !== 'off')
    journal.attach(new ThreadWriter({ folder, sync }, journal))
    journal.discard(leftovers)
    return {
      journal,
      close: async () => {
        await journal.close()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

function changed(error: StorageError | undefined, folder: string, log: StorageLog): void {
  if (error === undefined) return log.warn({ folder }, 'storage works again')
  const message = `storage: ${error.message}; what has to survive is refused until it works`
  log.error({ folder, code: error.code }, message)
}
