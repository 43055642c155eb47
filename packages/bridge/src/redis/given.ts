import type { Lease } from '../engine/sessions.ts'

/** How far each holder of a session has been given commands: the last entry of the stream that it knows of. What a
 *  claim took behind that, with its answer lost on the way, the next claim gives. */
export class Given {
  private readonly entries = new Map<string, string>()

  /** @param entry the last that anybody was given */
  begin(lease: Lease, entry: string): void {
    this.entries.set(nameOf(lease), entry)
  }

  end(lease: Lease): void {
    this.entries.delete(nameOf(lease))
  }

  /** @returns nothing when the lease was not taken here */
  lastOf(lease: Lease): string {
    return this.entries.get(nameOf(lease)) ?? ''
  }

  note(lease: Lease, entry: string): void {
    const last = this.lastOf(lease)
    if (last === '' || numberOf(entry) > numberOf(last)) this.entries.set(nameOf(lease), entry)
  }
}

function nameOf({ session, epoch }: Lease): string {
  return `${epoch} ${session}`
}

/** Entries are `N-0`. */
function numberOf(entry: string): number {
  return Number.parseInt(entry, 10)
}
