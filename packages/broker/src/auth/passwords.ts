import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { contentsOf } from '../files.ts'
import { type PasswordEntry, type PasswordFile, parsePasswordFile } from './password-file.ts'
import { hashPassword, type PasswordHash, parseHash, verifyPassword } from './password-hash.ts'

/** Passwords that are hashed at a time: one processor stays with the broker. */
const AT_A_TIME = Math.max(1, Math.min(2, availableParallelism() - 1))

/** Logins that may wait to be checked, some seconds' worth; beyond, they are refused as busy. */
const MAY_WAIT = 200

/** What came of checking a password; right: by which entry, as `markOf` gives it. */
export type PasswordVerdict = 'wrong' | 'busy' | { readonly mark: string }

/** Checks the passwords of one file. Hashing runs beside the event loop, few at a time. */
export class Passwords {
  private readonly file: string
  private known: PasswordFile = { users: new Map(), faults: [] }
  /** Hashed for users that do not exist, so that they take as long as those that do. */
  private decoy: PasswordHash | undefined = undefined
  /** What was right once, by user: who reconnects is not hashed again. The key dies with the process. */
  private readonly seen = new Map<string, { readonly entry: PasswordEntry; readonly seal: Buffer }>()
  private readonly key = randomBytes(32)
  private running = 0
  private readonly waiting: (() => void)[] = []

  constructor(file: string) {
    this.file = file
  }

  /** Reads the file.
   *  @returns what is wrong in it, a line each
   *  @throws Error when it cannot be read: then nothing has changed */
  async load(): Promise<readonly string[]> {
    this.known = parsePasswordFile(await contentsOf(this.file), this.file)
    for (const [username, { entry }] of this.seen) {
      if (this.known.users.get(username)?.text !== entry.text) this.seen.delete(username)
    }
    const [first] = [...this.known.users.values()].flatMap(({ hash }) => hash ?? [])
    this.decoy = first ?? parseHash(await hashPassword(randomBytes(16)))
    return this.known.faults
  }

  has(username: string): boolean {
    return this.known.users.has(username)
  }

  /** The hash that is in force for a user: another one means another password. */
  markOf(username: string): string | undefined {
    return this.known.users.get(username)?.text
  }

  async check(username: string, password: Uint8Array): Promise<PasswordVerdict> {
    const entry = this.known.users.get(username)
    const seal = hash('sha256', Buffer.concat([this.key, password]), 'buffer')
    const before = this.seen.get(username)
    if (entry !== undefined && before?.entry.text === entry.text && timingSafeEqual(before.seal, seal)) {
      return { mark: entry.text }
    }
    if (this.waiting.length >= MAY_WAIT) return 'busy'
    const kept = entry?.hash ?? this.decoy
    const isRight = kept !== undefined && (await this.inTurn(() => verifyAtEase(password, kept)))
    // The file may have been read again meanwhile: what counts is what it says now.
    if (this.markOf(username) !== entry?.text) return this.check(username, password)
    if (!isRight || entry?.hash === undefined) return 'wrong'
    this.seen.set(username, { entry, seal })
    return { mark: entry.text }
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= AT_A_TIME) await new Promise<void>((resolve) => this.waiting.push(resolve))
    else this.running++
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.running--
      else next()
    }
  }
}

/** A wrong password is followed by a pause as long as its hashing took: whoever guesses gets half a processor at
 *  most, and the event loop the other half (bench/abuse). */
async function verifyAtEase(password: Uint8Array, kept: PasswordHash): Promise<boolean> {
  const begun = performance.now()
  const isRight = await verifyPassword(password, kept)
  if (!isRight) await sleep(performance.now() - begun)
  return isRight
}
