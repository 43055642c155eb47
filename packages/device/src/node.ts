import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { ConfigurationFile, ConfigurationStore } from './configuration/store.ts'
import { messagesIn } from './cycle/kept.ts'
import type { KeptMessages } from './cycle/types.ts'
import type { TraceClock } from './lights/trace.ts'

/** Keeps the configuration in a JSON file. What is saved is whole at any moment: it is written beside the file,
 *  brought to disk and put in its place by its name. Mode, links and indentation of the file stay.
 *  @param path of the file; `load` rejects with an error that names it when it is not there or no JSON object */
export function configurationFile(path: string): ConfigurationStore {
  const saves = new Turns()
  let indent: string | number = 2
  return {
    async load() {
      const text = await read(path)
      indent = /^\s*\{\s*?\n([ \t]+)"/.exec(text)?.[1] ?? (text.trim().includes('\n') ? 2 : 0)
      return parseObject(path, text)
    },
    save: (file) => saves.next(() => replaceFile(path, `${JSON.stringify(file, undefined, indent)}\n`)),
  }
}

/** Keeps messages of failed wakes in a JSON file, replaced whole as the configuration is. A file that is not there
 *  holds none, and so does one that somebody else has spoilt. */
export function keptMessagesFile(path: string): KeptMessages {
  const saves = new Turns()
  return {
    async load() {
      try {
        return messagesIn(JSON.parse(await readFile(path, 'utf8')))
      } catch {
        return []
      }
    },
    save: (messages) => saves.next(() => replaceFile(path, `${JSON.stringify(messages)}\n`)),
  }
}

/** One save after the other, in the order in which they were asked for. */
class Turns {
  private last: Promise<unknown> = Promise.resolve()

  next(run: () => Promise<void>): Promise<void> {
    const turn = this.last.then(run)
    this.last = turn.catch(() => {})
    return turn
  }
}

async function read(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new Error(`${path} does not exist; a configuration is a JSON file such as {"enabled": true, …}`, {
      cause: error,
    })
  }
}

function parseObject(path: string, text: string): ConfigurationFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`${path} is no JSON: ${(error as Error).message}`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as ConfigurationFile
  throw new Error(`${path} holds no JSON object, but ${JSON.stringify(value).slice(0, 40)}`)
}

/** Puts `text` in the place of a file: all of it or, whenever the power goes, none of it. */
async function replaceFile(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const folder = dirname(target)
  // A configuration holds a password.
  const mode = await stat(target).then(
    (status) => status.mode & 0o777,
    () => 0o600,
  )
  const beside = join(folder, `.${basename(target)}.${randomUUID()}.tmp`)
  try {
    const file = await open(beside, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, target)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Brings the new name to disk, where the system lets a folder be opened. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  if (handle === undefined) return
  try {
    await handle.sync()
  } catch {
    // Some file systems have no sync of folders; they keep names in order themselves.
  } finally {
    await handle.close()
  }
}

/** The clock that all processes of this machine share (`process.hrtime`). Its name is that of the broker's: on Linux
 *  the kernel since it started, and the time namespace; elsewhere the machine's. */
export function machineClock(): TraceClock {
  return { name: clockName(), now: () => Number(process.hrtime.bigint()) / 1000 }
}

function clockName(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${timeNamespace()}`.trim()
  } catch {
    return hostname()
  }
}

function timeNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/time')
  } catch {
    return ''
  }
}
