import { type StatsListener, unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** How often files are looked at, milliseconds. Watching by events misses a file that is replaced through a link,
 *  as certificates often are. */
const LOOK_MS = 1_000

/** Reads a file that an option names.
 *  @throws Error naming the option's file and what is wrong with it */
export async function contentsOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const said: Record<string, string> = {
      ENOENT: 'there is no such file',
      EACCES: 'it is not for this user to read',
      EISDIR: 'it is a folder',
    }
    throw new Error(`${file}: ${said[cause.code ?? ''] ?? cause.message}`, { cause })
  })
}

/** PEM text itself, or the contents of the file that an option names instead. */
export async function pemOf(given: string): Promise<string> {
  return isPem(given) ? given : contentsOf(given)
}

export function isPem(given: string): boolean {
  return given.trimStart().startsWith('-----BEGIN ')
}

/** Tells when one of some files has changed. It keeps no process alive. */
export class FileWatch {
  private readonly files: readonly string[]
  private readonly look: StatsListener

  constructor(files: readonly string[], changed: () => void) {
    this.files = files
    this.look = (now, before) => {
      if (now.mtimeMs !== before.mtimeMs || now.size !== before.size || now.ino !== before.ino) changed()
    }
    for (const file of files) watchFile(file, { interval: LOOK_MS, persistent: false }, this.look)
  }

  close(): void {
    for (const file of this.files) unwatchFile(file, this.look)
  }
}
