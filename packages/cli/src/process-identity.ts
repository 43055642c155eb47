import { chownSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandError } from './faults.ts'

/** Writes the process's number into a file, as long as it runs.
 *  @throws CommandError when it cannot be written */
export function writePidFile(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`)
  } catch (error) {
    throw new CommandError(`pidFile ${path} cannot be written: ${(error as Error).message}`)
  }
  process.on('exit', () => rmSync(path, { force: true }))
}

/** Started as root, becomes another user for good; otherwise stays who it is, as Mosquitto does.
 *  @param folders are given to that user: they were made when we were root
 *  @throws CommandError when there is no such user */
export function becomeUser(name: string, folders: readonly string[]): void {
  if (process.getuid?.() !== 0 || name === 'root') return
  const user = userOf(name) ?? (name === 'mosquitto' ? userOf('nobody') : undefined)
  if (user === undefined) throw new CommandError(`user ${name}: there is no such user on this machine`)
  for (const folder of folders) giveAway(folder, user)
  process.setgroups?.([user.gid])
  process.setgid?.(user.gid)
  process.setuid?.(user.uid)
}

interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

function userOf(name: string): User | undefined {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [known, , uid, gid] = line.split(':')
    if (known === name) return { name, uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}

function giveAway(folder: string, { uid, gid }: User): void {
  chownSync(folder, uid, gid)
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) chownSync(join(entry.parentPath, entry.name), uid, gid)
  }
}
