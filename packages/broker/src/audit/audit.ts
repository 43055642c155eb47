import type { ReasonCode } from '@pipit/protocol'
import { withoutPort } from '../network.ts'
import { AuditFile } from './audit-file.ts'

/** What is written down about who came and did what. */
export interface AuditOptions {
  /** A file of JSON lines. It is opened again by `broker.reload()`, for who moves it away. */
  readonly file?: string
  /** Lines a second about what one client may not do, and about one address that is not let in; more are counted.
   *  Default 10. */
  readonly denialsPerSecond?: number
}

/** Who a line is about. Passwords never are. */
export interface AuditClient {
  readonly clientId: string
  readonly username: string | undefined
  /** Address and port. */
  readonly from: string
}

/** What a client that comes in shows of itself. */
export interface AuditArrival extends AuditClient {
  readonly protocolVersion: number
  /** Of its certificate. */
  readonly subject: string | undefined
}

type Field = string | number | boolean | readonly string[] | undefined

/** Characters of a text; the rest is cut off. */
const LONGEST = 1_000

/** Clients and addresses whose lines are counted at a time. */
const MOST_COUNTED = 10_000

/** What attackers can make as many of as they like. */
type Frequent = 'denied' | 'refused' | 'turned away'

/** Writes down who came in, who was refused and why, who may not do what, and what operators did: one JSON object a
 *  line. It never waits for the disk, and says how many lines it had to drop. */
export class Audit {
  private readonly file: AuditFile
  private readonly now: () => number
  private readonly denialsPerSecond: number
  private second = 0
  /** Lines of this second, by event and whom they are about. */
  private readonly counts = new Map<string, number>()
  private readonly suppressed = new Map<Frequent, number>()

  private constructor(file: AuditFile, now: () => number, denialsPerSecond: number) {
    this.file = file
    this.now = now
    this.denialsPerSecond = denialsPerSecond
  }

  /** @param failed told why the file cannot be written
   *  @returns undefined when there is no file
   *  @throws Error naming the file, when it cannot be opened */
  static async open(
    { file, denialsPerSecond = 10 }: AuditOptions,
    now: () => number,
    failed: (why: string) => void,
  ): Promise<Audit | undefined> {
    if (file === undefined) return undefined
    const lost = (count: number): string => lineOf(now(), 'dropped', { count })
    return new Audit(await AuditFile.open(file, failed, lost), now, denialsPerSecond)
  }

  connected({ clientId, username, from, protocolVersion, subject }: AuditArrival): void {
    this.say('connect', { clientId, username, from, protocolVersion, subject })
  }

  disconnected({ clientId, username, from }: AuditClient, why: string): void {
    this.say('disconnect', { clientId, username, from, why })
  }

  /** A client was not let in. */
  refused({ clientId, username, from }: AuditClient, reasonCode: ReasonCode, why: string | undefined): void {
    const code = `0x${reasonCode.toString(16)}`
    if (!this.maySay('refused', withoutPort(from))) return
    this.say('refused', { clientId, username, from, reasonCode: code, why })
  }

  /** A connection was closed before it said who it is. */
  turnedAway(from: string | undefined, why: string): void {
    if (this.maySay('turned away', withoutPort(from ?? ''))) this.say('turned away', { from, why })
  }

  /** A client may not do what it tried; @param rule and why */
  denied(
    client: { readonly clientId: string; readonly username: string | undefined },
    action: string,
    topic: string,
    rule: string,
  ): void {
    const { clientId, username } = client
    if (this.maySay('denied', clientId)) this.say('denied', { clientId, username, action, topic, rule })
  }

  /** The configuration, or files that it names, were read again. */
  reloaded(
    parts: { readonly taken?: readonly string[]; readonly left?: readonly string[] },
    faults: readonly string[],
  ): void {
    this.say('reload', { ...parts, faults })
  }

  /** An operator, or the program around the broker, did something. */
  administered(act: string, fields: Readonly<Record<string, Field>>): void {
    this.say('administration', { act, ...fields })
  }

  reopen(): Promise<void> {
    return this.file.reopen()
  }

  async close(): Promise<void> {
    this.endSecond()
    await this.file.close()
  }

  private maySay(event: Frequent, about: string): boolean {
    const second = Math.floor(this.now() / 1000)
    if (second !== this.second) {
      this.endSecond()
      this.second = second
    }
    const key = `${event} ${about}`
    const count = (this.counts.get(key) ?? 0) + 1
    const isKnown = count > 1 || this.counts.size < MOST_COUNTED
    if (isKnown && count <= this.denialsPerSecond) {
      this.counts.set(key, count)
      return true
    }
    this.suppressed.set(event, (this.suppressed.get(event) ?? 0) + 1)
    return false
  }

  private endSecond(): void {
    this.counts.clear()
    for (const [event, suppressed] of this.suppressed) this.say(event, { suppressed })
    this.suppressed.clear()
  }

  private say(event: string, fields: Readonly<Record<string, Field>>): void {
    this.file.write(lineOf(this.now(), event, fields))
  }
}

function lineOf(now: number, event: string, fields: Readonly<Record<string, Field>>): string {
  const line = JSON.stringify({ time: new Date(now).toISOString(), event, ...fields }, (_, value: unknown) =>
    typeof value === 'string' && value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value,
  )
  // JSON leaves some control characters and line ends as they are; nothing that a client says is one here.
  return line.replaceAll(
    /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
