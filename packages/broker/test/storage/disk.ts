import { join } from 'node:path'
import { afterEach } from 'vitest'
import { SmallDisk } from '../../../../tools/torture/small-disk.ts'
import { temporaryFolder } from './kit.ts'

const disks: SmallDisk[] = []

afterEach(() => {
  for (const disk of disks.splice(0)) disk.unmount()
})

/** A disk of a few megabytes that goes with the test. */
export function smallDisk(): SmallDisk {
  const disk = new SmallDisk(join(temporaryFolder(), 'disk'), 4)
  disks.push(disk)
  return disk
}
