import type { DeadLetter, Hook, HookProgress, HookState, HookStore } from '../engine/hooks.ts'
import type { Lease } from '../engine/sessions.ts'
import { ADD_HOOK, ADVANCE, LIST_HOOKS, REMOVE_HOOK } from './hook-scripts.ts'
import type { Link } from './link.ts'
import { listOf, pairsOf, type Reply, textOf } from './replies.ts'

/** Webhooks. */
export class HookBook implements HookStore {
  private readonly link: Link
  private readonly told: () => void

  /** @param told that there are others now */
  constructor(link: Link, told: () => void) {
    this.link = link
    this.told = told
  }

  async add(hook: Hook): Promise<void> {
    await this.link.run(ADD_HOOK, [hook.id, JSON.stringify(hook)], { isDurable: true })
    this.told()
  }

  async list(): Promise<readonly HookState[]> {
    const [hooks = null, progress = null] = listOf(await this.link.run(LIST_HOOKS, []))
    const reached = new Map(pairsOf(progress))
    return [...pairsOf(hooks)]
      .map(([id, hook]) => ({ ...(JSON.parse(hook.toString()) as Hook), ...progressOf(reached.get(id)) }))
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  }

  async remove(id: string, owner: string): Promise<boolean> {
    const isGone = (await this.link.run(REMOVE_HOOK, [id, owner], { of: id, isDurable: true })) === 1
    if (isGone) this.told()
    return isGone
  }

  async advance(lease: Lease, id: string, progress: HookProgress, dead?: DeadLetter): Promise<void> {
    const { cursor, failures, nextAt } = progress
    const letter = dead === undefined ? '' : JSON.stringify(dead)
    const args = [
      lease.session,
      lease.epoch,
      this.link.generation,
      id,
      `${cursor} ${failures} ${nextAt}`,
      letter,
    ]
    await this.link.run(ADVANCE, args, { of: id })
  }

  async deadLetters(id: string, limit: number): Promise<readonly DeadLetter[]> {
    if (limit < 1) return []
    const letters = await this.link.call('lrange', 'dead', [0, limit - 1], id)
    return listOf(letters).map((letter: Reply) => JSON.parse(textOf(letter)) as DeadLetter)
  }
}

function progressOf(bytes: Buffer | undefined): HookProgress {
  const [cursor = '0', failures = 0, nextAt = 0] = bytes?.toString().split(' ') ?? []
  return { cursor, failures: Number(failures), nextAt: Number(nextAt) }
}
