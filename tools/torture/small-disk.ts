import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Says whether small disks can be made here: on Linux, by root who may mount. */
export function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const folder = mkdtempSync(join(tmpdir(), 'pipit-disk-'))
  const works = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0
  if (works) execFileSync('umount', [folder])
  rmdirSync(folder)
  return works
}

/** A disk of a few megabytes that can be filled to the last byte, and freed. */
export class SmallDisk {
  readonly folder: string
  private isFull = false

  constructor(folder: string, megabytes: number) {
    mkdirSync(folder, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder])
    this.folder = folder
  }

  /** Leaves no byte free. */
  fill(): void {
    this.isFull = true
    const file = openSync(this.filler, 'w')
    for (const size of [65536, 4096, 512, 1]) {
      const bytes = Buffer.alloc(size)
      try {
        while (writeSync(file, bytes) > 0);
      } catch {
        // full, for pieces of this size
      }
    }
    closeSync(file)
  }

  /** Gives the space back. */
  free(): void {
    this.isFull = false
    rmSync(this.filler, { force: true })
  }

  toggle(): void {
    if (this.isFull) this.free()
    else this.fill()
  }

  /** Lazily: a process may still be closing its files there. */
  unmount(): void {
    execFileSync('umount', ['-l', this.folder])
  }

  private get filler(): string {
    return join(this.folder, 'filler')
  }
}
