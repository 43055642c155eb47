import { createHash } from 'node:crypto'

/** Keys by the names that scripts have for them. Those with a colon are of one thing each: records of a session,
 *  dead letters of a hook. */
export const KEYS = {
  /** Commands that are due, with those that workers have taken. */
  stream: 'commands',
  bodies: 'commands-bodies',
  states: 'commands-states',
  /** Queued and not due yet, by the time when they will be. */
  waiting: 'commands-waiting',
  /** Queued and with an end, by that time. */
  expiring: 'commands-expiring',
  /** Of each order key the command whose turn it is. */
  heads: 'commands-heads',
  /** Those behind them. */
  followers: 'commands-followers',
  /** By the time when they were over. */
  over: 'commands-over',
  counts: 'commands-counts',
  once: 'once',
  onceExpiring: 'once-expiring',
  log: 'messages',
  last: 'messages-last',
  unique: 'messages-unique',
  batches: 'messages-batches',
  sessions: 'sessions',
  records: 'records:',
  hooks: 'hooks',
  progress: 'hooks-progress',
  dead: 'hooks-dead:',
  workers: 'workers',
  /** Counters. */
  meta: 'meta',
} as const

export type KeyName = keyof typeof KEYS

/** What a script may do: `read` changes nothing; `drain` works on a Redis whose memory is full as well, so that
 *  what was accepted can be sent; `fill` does not. */
export type ScriptKind = 'read' | 'drain' | 'fill'

const FLAGS: Readonly<Record<ScriptKind, string>> = { read: 'no-writes', drain: 'allow-oom', fill: '' }

/** Arguments are taken one after the other. */
const TAKE = `
local taken = 0
local function take() taken = taken + 1; return ARGV[taken] end
local function number() return tonumber(take()) end
`

/** A Lua script that finds its keys under their names, and its arguments by `take` and `number`. */
export class Script {
  readonly keys: readonly KeyName[]
  readonly text: string
  readonly sha: string

  constructor(kind: ScriptKind, keys: readonly KeyName[], lua: string) {
    const names = `local ${keys.join(', ')} = ${keys.map((_, i) => `KEYS[${i + 1}]`).join(', ')}`
    this.keys = keys
    this.text = `#!lua flags=${FLAGS[kind]}\n${names}${TAKE}${lua}`
    this.sha = createHash('sha1').update(this.text).digest('hex')
  }
}
