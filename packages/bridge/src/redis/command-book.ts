import type {
  Added,
  Claim,
  Command,
  CommandCounts,
  CommandQueue,
  CommandState,
  NewCommand,
  Once,
  Outcome,
} from '../engine/commands.ts'
import type { Lease, SessionChange } from '../engine/sessions.ts'
import { EngineUnavailableError } from '../errors.ts'
import { ADD, CANCEL, CLAIM, CLAIMED, COUNTS, FIND, FINISH, TRIM_COMMANDS } from './command-scripts.ts'
import { frame, unframe } from './frames.ts'
import type { Given } from './given.ts'
import type { Argument, Link } from './link.ts'
import { bytesOf, listOf, numberOf, optionalOf, pairsOf, type Reply, textOf } from './replies.ts'
import { argumentsOf } from './session-book.ts'

/** States by the number they are kept as. */
const STATES: readonly CommandState[] = ['queued', 'sent', 'acknowledged', 'failed', 'expired', 'cancelled']
/** Forgotten at once: others have Redis in between. */
const TRIM_AT_ONCE = 1_000

type Body = Omit<NewCommand, 'id' | 'payload'>

/** The queue of commands. */
export class CommandBook implements CommandQueue {
  private readonly link: Link
  private readonly given: Given
  private readonly told: () => void

  /** @param told that there may be commands to claim */
  constructor(link: Link, given: Given, told: () => void) {
    this.link = link
    this.given = given
    this.told = told
  }

  async add(commands: readonly NewCommand[], once?: Once): Promise<Added> {
    const now = commands[0]?.createdAt ?? 0
    const key = once === undefined ? ['', '', 0] : [`${once.owner}\0${once.key}`, once.digest, once.expiresAt]
    const args = [...key, now, commands.length, ...commands.flatMap(argumentsOfCommand)]
    const reply = await this.link.run(ADD, args, { isDurable: true })
    this.told()
    if (reply === null) return { kind: 'added' }
    return Array.isArray(reply) ? { kind: 'repeated', ids: reply.map(textOf) } : { kind: 'conflict' }
  }

  async find(id: string, now: number): Promise<Command | undefined> {
    const reply = await this.link.run(FIND, [id])
    if (reply === null) return undefined
    const { command } = commandOf(reply)
    const isOver = command.state === 'queued' && command.expiresAt !== undefined && command.expiresAt <= now
    return isOver ? { ...command, state: 'expired' } : command
  }

  async cancel(id: string, owner: string, now: number): Promise<CommandState | undefined> {
    const state = await this.link.run(CANCEL, [id, owner, now], { isDurable: true })
    // Another of its key may have its turn.
    this.told()
    return state === null ? undefined : STATES[numberOf(state)]
  }

  async claim(lease: Lease, limit: number, now: number): Promise<Claim> {
    // To Redis, none at most means all.
    if (limit < 1) return { commands: [] }
    const { session, epoch } = lease
    const args = [session, epoch, this.link.generation, limit, now, this.given.lastOf(lease)]
    const [nextAt, found] = listOf(await this.link.run(CLAIM, args))
    return { commands: this.take(lease, found), nextAt: optionalOf(nextAt, numberOf) }
  }

  async claimed(lease: Lease): Promise<readonly Command[]> {
    return this.take(lease, await this.link.run(CLAIMED, [lease.session, lease.epoch]))
  }

  async finish(
    lease: Lease,
    outcomes: readonly Outcome[],
    now: number,
    changes: readonly SessionChange[] = [],
  ): Promise<void> {
    const { session, epoch } = lease
    const args = [
      ...[session, epoch, this.link.generation, now],
      outcomes.length,
      ...outcomes.flatMap(argumentsOfOutcome),
      ...argumentsOf(changes),
    ]
    if ((await this.link.run(FINISH, args, { of: session })) !== null) this.told()
  }

  async counts(): Promise<CommandCounts> {
    const counts = { queued: 0, sent: 0, acknowledged: 0, failed: 0, expired: 0, cancelled: 0 }
    for (const [state, n] of pairsOf(await this.link.run(COUNTS, []))) {
      counts[STATES[Number(state)] ?? 'queued'] = numberOf(n)
    }
    return counts
  }

  async trim(before: number, now: number): Promise<number> {
    for (let gone = 0; ; ) {
      const [some, isMore] = listOf(await this.link.run(TRIM_COMMANDS, [before, now, TRIM_AT_ONCE]))
      gone += numberOf(some)
      if (isMore !== 1) return gone
    }
  }

  /** Commands that have come to the holder of a lease, in the order of the queue. */
  private take(lease: Lease, found: Reply | undefined): readonly Command[] {
    const rows = listOf(found).map(commandOf)
    for (const { entry } of rows) this.given.note(lease, entry)
    return rows.sort((a, b) => a.place - b.place).map(({ command }) => command)
  }
}

function argumentsOfCommand({ id, payload, ...body }: NewCommand): Argument[] {
  const { owner, orderKey = '', notBefore, expiresAt = 0 } = body
  return [id, frame(body, payload), owner, orderKey, notBefore, expiresAt]
}

function argumentsOfOutcome(outcome: Outcome): Argument[] {
  const { id, state, reasonCode = '', reason = '' } = outcome
  const notBefore = outcome.state === 'queued' ? outcome.notBefore : 0
  return [id, STATES.indexOf(state), notBefore, reasonCode, reason]
}

/** A command, its place in the queue, and its entry in the stream. */
function commandOf(row: Reply): { command: Command; place: number; entry: string } {
  const [id, body, state, attempts, updatedAt, notBefore, code, reason, place, entry] = listOf(row)
  if (!Buffer.isBuffer(body))
    throw new EngineUnavailableError('the queue on Redis has lost part of a command')
  const { header, bytes } = unframe<Body>(body)
  const command = {
    ...header,
    id: textOf(id),
    payload: bytes,
    notBefore: numberOf(notBefore),
    state: STATES[numberOf(state)] ?? 'queued',
    attempts: numberOf(attempts),
    updatedAt: numberOf(updatedAt),
    reasonCode: optionalOf(code, numberOf),
    reason: optionalOf(reason, textOf),
  }
  return { command, place: numberOf(place), entry: textOf(bytesOf(entry)) }
}
