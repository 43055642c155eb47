import { ConfigurationError } from '../config/check.ts'

/** One configuration file, read. */
export interface MosquittoFile {
  /** For complaints. */
  readonly name: string
  readonly text: string
}

/** Gives the files of a folder that end in `.conf`, in any order.
 *  @throws Error saying why the folder cannot be read */
export type ReadFolder = (folder: string) => readonly MosquittoFile[]

/** One line that says something. */
export interface Directive {
  readonly name: string
  /** What follows the name, as it stands but for spaces at both ends; empty when there is nothing. */
  readonly rest: string
  /** `mosquitto.conf:12`. */
  readonly where: string
  /** The file's own number: what a line belongs to, a listener say, ends with its file. */
  readonly file: number
}

/** Takes files apart into lines that say something. A `#` begins a comment only as the first character of its line,
 *  and a name ends with a space, as for Mosquitto. The files of `include_dir` stand in its place, in an order in
 *  which upper case comes before the lower case of the same letter.
 *  @throws ConfigurationError for a folder that cannot be read */
export function directives(main: MosquittoFile, readFolder: ReadFolder): Directive[] {
  let count = 0
  const read = (file: MosquittoFile, isMain: boolean): Directive[] => {
    const number = count++
    const found: Directive[] = []
    for (const line of linesOf(file, number)) {
      if (line.name !== 'include_dir') found.push(line)
      // Mosquitto reads it in the main file only.
      else if (isMain) {
        for (const included of folder(line, readFolder)) found.push(...read(included, false))
      }
    }
    return found
  }
  return read(main, true)
}

function linesOf(file: MosquittoFile, number: number): Directive[] {
  const found: Directive[] = []
  file.text.split(/\r*\n/).forEach((line, i) => {
    if (line.startsWith('#')) return
    const [, name, rest = ''] = /^ *([^ ]+)(.*)$/.exec(line.replace(/\r+$/, '')) ?? []
    if (name !== undefined) {
      found.push({ name, rest: rest.trim(), where: `${file.name}:${i + 1}`, file: number })
    }
  })
  return found
}

function folder({ rest, where }: Directive, readFolder: ReadFolder): MosquittoFile[] {
  const complain = (why: string): never => {
    throw new ConfigurationError([`${where}: include_dir ${why}`])
  }
  if (rest === '') return complain('takes a folder')
  try {
    return [...readFolder(rest)].sort((a, b) => inMosquittosOrder(a.name, b.name))
  } catch (error) {
    return complain(`${rest}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Letter by letter, `A a B b`. */
function inMosquittosOrder(a: string, b: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [left, right] = [a[i] ?? '', b[i] ?? '']
    if (left === right) continue
    const [small, other] = [left.toLowerCase(), right.toLowerCase()]
    if (small === other) return left < right ? -1 : 1
    return small < other ? -1 : 1
  }
  return a.length - b.length
}
