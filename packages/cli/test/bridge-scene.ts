import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Processes as AllProcesses, type Running } from './processes.ts'

export class Processes extends AllProcesses {
  /** The processes that one has started, which are there by the time that their output is. */
  async childrenOf({ child }: Running): Promise<number[]> {
    const text = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    return text.trim().split(' ').map(Number)
  }
}

/** A folder that goes when the test is over. */
export function folderOf(finished: (clean: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-cli-'))
  finished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
