import { hostname } from 'node:os'
import type { SessionKind } from './sessions.ts'

/** Who holds a session, and until when. */
export interface Holding {
  readonly owner: string | undefined
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** Nobody holds it, the lease has run out, or its holder is a process of this machine that has ended. */
export function isFree({ owner, until }: Holding, now: number): boolean {
  return owner === undefined || until <= now || isGone(owner)
}

/** Says whether an owner, who names itself `host/pid/…`, is a process of this machine that has ended. */
export function isGone(owner: string): boolean {
  const [host, pid] = owner.split('/')
  if (host !== hostname() || !/^\d+$/.test(pid ?? '')) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** The first name of a kind that no session has. */
export function freeName(kind: SessionKind, taken: ReadonlySet<string>): string {
  let number = 1
  while (taken.has(`${kind}-${number}`)) number++
  return `${kind}-${number}`
}
