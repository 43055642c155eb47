import { readFileSync } from 'node:fs'
import { UsageError } from './command-line.ts'

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it is not for this user to read',
  EISDIR: 'it is a folder',
}

/** Why a file could not be read, in words that follow its name and a colon. */
export function fileFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return FAULTS[code ?? ''] ?? message
}

/** Reads a file that an option names.
 *  @throws UsageError with the option, the file and what is wrong with it */
export function readNamedFile(option: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(`${option}: ${path}: ${fileFault(error)}`)
  }
}
