import type {
  AcquireOptions,
  Lease,
  SessionChange,
  SessionKind,
  SessionRecord,
  SessionStore,
} from '../engine/sessions.ts'
import { REMOVE_SESSION } from './command-scripts.ts'
import type { Given } from './given.ts'
import type { Argument, Link } from './link.ts'
import { bytesOf, listOf, numberOf, pairsOf, textOf } from './replies.ts'
import { ACQUIRE, EXTEND, RECORDS, RELEASE, WRITE } from './session-scripts.ts'

/** Sessions and who holds them. A holder whose process has ended is known by its lease alone: pids of another machine,
 *  or of a container that goes by the same name, say nothing. */
export class SessionBook implements SessionStore {
  private readonly link: Link
  private readonly given: Given
  private readonly told: () => void

  /** @param told that commands are queued again */
  constructor(link: Link, given: Given, told: () => void) {
    this.link = link
    this.given = given
    this.told = told
  }

  async acquire(kind: SessionKind, options: AcquireOptions): Promise<Lease | undefined> {
    const { owner, now, leaseMs, which = 'any' } = options
    const { generation } = this.link
    const args = [kind, owner, now, leaseMs, which, generation]
    const reply = await this.link.run(ACQUIRE, args, { isDurable: true })
    if (reply === null) return undefined
    const [session, epoch, last] = listOf(reply)
    const lease = { session: textOf(session), epoch: numberOf(epoch) }
    this.given.begin(lease, textOf(last))
    return lease
  }

  async extend(leases: readonly Lease[], now: number, leaseMs: number): Promise<readonly Lease[]> {
    const each = leases.flatMap(({ session, epoch }) => [session, epoch])
    const kept = listOf(await this.link.run(EXTEND, [now + leaseMs, leases.length, ...each]))
    return leases.filter((_, i) => kept[i] === 1)
  }

  async release(lease: Lease): Promise<void> {
    await this.link.run(RELEASE, [lease.session, lease.epoch])
    this.given.end(lease)
  }

  async remove(lease: Lease, now: number): Promise<void> {
    const { session, epoch } = lease
    const args = [session, epoch, this.link.generation, now]
    await this.link.run(REMOVE_SESSION, args, { of: session, isDurable: true })
    this.given.end(lease)
    this.told()
  }

  async records({ session, epoch }: Lease): Promise<readonly SessionRecord[]> {
    const reply = await this.link.run(RECORDS, [session, epoch], { of: session })
    return [...pairsOf(reply)].map(([key, value]) => ({ key, ...recordOf(value) }))
  }

  async write({ session, epoch }: Lease, changes: readonly SessionChange[]): Promise<void> {
    const args = [session, epoch, this.link.generation, ...argumentsOf(changes)]
    await this.link.run(WRITE, args, { of: session, isDurable: true })
  }
}

/** Changes as `CHANGES` takes them. */
export function argumentsOf(changes: readonly SessionChange[]): Argument[] {
  const each = changes.flatMap(({ key, value, commandId }) =>
    value === undefined ? [key, '0', ''] : [key, '1', kept(value, commandId)],
  )
  return [changes.length, ...each]
}

/** A value behind the command that it is of, and how long that is. */
function kept(value: Uint8Array, commandId = ''): Buffer {
  const id = Buffer.from(commandId)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(id.length)
  return Buffer.concat([length, id, value])
}

function recordOf(bytes: Buffer): Pick<SessionRecord, 'value' | 'commandId'> {
  const end = 2 + bytes.readUInt16BE(0)
  const commandId = end > 2 ? bytesOf(bytes).toString('utf8', 2, end) : undefined
  return { value: bytes.subarray(end), commandId }
}
