import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { temporaryFolder } from './kit.ts'

export const isRoot = process.getuid?.() === 0
/** Small disks can be made. */
export const canMount = isRoot && process.platform === 'linux' && tmpfsWorks()

function tmpfsWorks(): boolean {
  const folder = temporaryFolder()
  const works = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0
  if (works) execFileSync('umount', [folder])
  return works
}

const mounted: string[] = []

afterEach(() => {
  // A broker of the test may still be closing its files: lazily.
  for (const folder of mounted.splice(0)) execFileSync('umount', ['-l', folder])
})

/** A disk of a few megabytes. */
export function smallDisk(): string {
  const folder = join(temporaryFolder(), 'disk')
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder])
  mounted.push(folder)
  return folder
}

/** Leaves no byte free. */
export function fillUp(folder: string): string {
  const file = join(folder, 'filler')
  const fd = openSync(file, 'w')
  for (const size of [65536, 4096, 512, 1]) {
    const bytes = Buffer.alloc(size)
    try {
      while (writeSync(fd, bytes) > 0);
    } catch {
      // full, for pieces of this size
    }
  }
  closeSync(fd)
  return file
}
