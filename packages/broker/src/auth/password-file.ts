import { type PasswordHash, parseHash } from './password-hash.ts'

/** A user in a password file. */
export interface PasswordEntry {
  readonly username: string
  /** As it stands in the file. */
  readonly text: string
  /** Undefined: nobody can log in with it. */
  readonly hash: PasswordHash | undefined
}

/** A password file's users, and what is wrong with it. */
export interface PasswordFile {
  readonly users: ReadonlyMap<string, PasswordEntry>
  /** `passwords:3: …`; the users of these lines cannot log in. */
  readonly faults: readonly string[]
}

/** Reads lines USER:HASH, as `pipit passwd` and `mosquitto_passwd` write them.
 *  @param name of the file, for complaints */
export function parsePasswordFile(text: string, name: string): PasswordFile {
  const users = new Map<string, PasswordEntry>()
  const faults: string[] = []
  for (const [i, line] of text.split('\n').entries()) {
    const said = line.trim()
    if (said === '' || said.startsWith('#')) continue
    const where = `${name}:${i + 1}`
    const entry = entryOf(said)
    if (entry === undefined) {
      faults.push(`${where}: no line USER:HASH; \`pipit passwd add USER --file ${name}\` writes one`)
      continue
    }
    users.set(entry.username, entry)
    if (entry.hash !== undefined) continue
    const what = entry.text.startsWith('$')
      ? 'a hash that is not known here'
      : 'a password that is not hashed'
    const advice = `\`pipit passwd hash --file ${name}\` or \`pipit passwd add\` puts that right`
    faults.push(`${where}: user ${JSON.stringify(entry.username)} has ${what}; ${advice}`)
  }
  return { users, faults }
}

function entryOf(line: string): PasswordEntry | undefined {
  const at = line.indexOf(':')
  if (at < 1) return undefined
  const [username, text] = [line.slice(0, at).trim(), line.slice(at + 1).trim()]
  return text === '' || username === '' ? undefined : { username, text, hash: parseHash(text) }
}

/** The file's text with a user's line put in or replaced; every other line stays as it is.
 *  @param hash undefined removes the user
 *  @throws RangeError for a name that the file cannot hold */
export function withUser(text: string, username: string, hash: string | undefined): string {
  if (/[:\p{Cc}]/u.test(username) || username !== username.trim() || /^(#|$)/.test(username)) {
    throw new RangeError(
      `the user name ${JSON.stringify(username)} cannot stand in a password file: it takes no colon, no control character, no space at its ends and no # in front`,
    )
  }
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  const isTheirs = (line: string): boolean =>
    !line.startsWith('#') && line.includes(':') && line.slice(0, line.indexOf(':')).trim() === username
  const at = lines.findIndex(isTheirs)
  const others = lines.filter((line) => !isTheirs(line))
  if (hash !== undefined) others.splice(at < 0 ? others.length : at, 0, `${username}:${hash}`)
  return others.length === 0 ? '' : `${others.join('\n')}\n`
}
