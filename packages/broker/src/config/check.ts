import {
  OPTIONS,
  type OptionRow,
  type OptionType,
  optionRow,
  phraseOf,
  SECTIONS,
  variableOf,
} from './table.ts'

export type Scalar = string | number | boolean
export interface Entry {
  readonly [key: string]: OptionValue
}
/** A value as it came out of its check. */
export type OptionValue = Scalar | readonly string[] | readonly Entry[] | Entry

/** A checked value and where it was said, for later complaints: `pipit.yaml:12`, `PIPIT_DATA`. */
export interface Setting {
  readonly value: OptionValue
  readonly where: string
}

/** Checked values by key. */
export type Settings = ReadonlyMap<string, Setting>

/** What is wrong with a configuration; one line each, naming the place, the fault and what would be right. */
export class ConfigurationError extends Error {
  readonly code = 'CONFIGURATION'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.name = 'ConfigurationError'
    this.faults = faults
  }
}

/** A value that is not what its option takes, as a line without its place; undefined when it is right. */
export function valueFault(key: string, type: OptionType, value: unknown): string | undefined {
  if (isOf(type, value)) return undefined
  const shown = value === undefined || value === null ? 'empty' : JSON.stringify(value)
  return `${key} is ${shown}; it takes ${phraseOf(type)}`
}

function isOf(type: OptionType, value: unknown): boolean {
  switch (type.kind) {
    case 'number':
      return (
        typeof value === 'number' &&
        Number.isFinite(value) &&
        (type.whole !== true || Number.isInteger(value)) &&
        value >= type.lowest &&
        (type.highest === undefined || value <= type.highest)
      )
    case 'boolean':
      return typeof value === 'boolean'
    case 'text':
      return typeof value === 'string' && value !== ''
    case 'choice':
      return type.choices.includes(value as Scalar)
    case 'texts':
      return Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '')
    case 'list':
      return Array.isArray(value)
    case 'section':
      return typeof value === 'object'
  }
}

/** A key that does not exist, as a line without its place. */
export function unknownKey(key: string, rows: readonly OptionRow[] = OPTIONS): string {
  return unknownWord(key, [...rows.map((row) => row.key), ...(rows === OPTIONS ? SECTIONS : [])])
}

/** An option that is none of those known, as a line without its place. */
export function unknownWord(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return `there is no option "${word}"${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** The known word that differs least, when it differs by no more than half. */
function nearest(word: string, known: readonly string[]): string | undefined {
  const name = word.slice(word.lastIndexOf('.') + 1)
  let best: string | undefined
  let least = Math.min(Math.max(2, Math.ceil(name.length / 3)) + 0.5, name.length / 2 + 0.25)
  for (const candidate of known) {
    // Someone who forgot the section, or invented one, means the last part.
    const last = candidate.slice(candidate.lastIndexOf('.') + 1)
    const by = Math.min(distance(word, candidate), distance(name, last) + (candidate === last ? 0 : 0.25))
    if (by < least) [best, least] = [candidate, by]
  }
  return best
}

/** Letters to insert, remove or replace; case counts for nothing. */
function distance(a: string, b: string): number {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()]
  let row = Array.from({ length: right.length + 1 }, (_, i) => i)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const replaced = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}

/** Checks values that came as text, such as `--set limits.queuedMessages=10`.
 *  @param pairs keys and texts
 *  @param where names the place of a pair: `--set`
 *  @throws ConfigurationError */
export function settingsFromText(pairs: Iterable<readonly [string, string]>, where: string): Settings {
  const settings = new Map<string, Setting>()
  const faults: string[] = []
  for (const [key, said] of pairs) {
    const row = optionRow(key)
    if (row === undefined) faults.push(`${where}: ${unknownKey(key)}`)
    else take(settings, faults, row, said, where)
  }
  if (faults.length > 0) throw new ConfigurationError(faults)
  return settings
}

/** What the environment says: `PIPIT_LIMITS_QUEUED_MESSAGES` and so on.
 *  @throws ConfigurationError naming the variable */
export function settingsFromEnvironment(environment: Readonly<Record<string, string | undefined>>): Settings {
  const settings = new Map<string, Setting>()
  const faults: string[] = []
  for (const row of OPTIONS) {
    const variable = variableOf(row.key)
    const said = environment[variable]
    if (said !== undefined && !isOfFileOnly(row)) take(settings, faults, row, said, variable)
  }
  const known = new Set(OPTIONS.map(({ key }) => variableOf(key)))
  for (const variable of Object.keys(environment)) {
    // Other PIPIT_ variables belong to the command's own options; a section's are ours alone.
    const isOurs = [...SECTIONS].some((section) => variable.startsWith(`${variableOf(section)}_`))
    if (isOurs && !known.has(variable)) faults.push(`${variable}: there is no such option`)
  }
  if (faults.length > 0) throw new ConfigurationError(faults)
  return settings
}

function take(
  settings: Map<string, Setting>,
  faults: string[],
  row: OptionRow,
  said: string,
  where: string,
): void {
  if (isOfFileOnly(row)) {
    faults.push(`${where}: ${row.key} is a list, which only a file can hold`)
    return
  }
  const value = fromText(row.type, said)
  const fault = valueFault(row.key, row.type, value)
  if (fault !== undefined) faults.push(`${where}: ${fault}`)
  else settings.set(row.key, { value: value as Scalar, where })
}

/** Lists have no form that a variable could hold. */
function isOfFileOnly({ type: { kind } }: OptionRow): boolean {
  return kind === 'list' || kind === 'texts'
}

function fromText(type: OptionType, said: string): Scalar {
  if (type.kind === 'number') return /^-?\d+(\.\d+)?$/.test(said) ? Number(said) : said
  if (type.kind === 'choice') return type.choices.find((each) => String(each) === said) ?? said
  if (type.kind !== 'boolean') return said
  if (/^(true|yes|on|1)$/i.test(said)) return true
  return /^(false|no|off|0)$/i.test(said) ? false : said
}

/** Later settings are stronger. */
export function merged(...layers: readonly Settings[]): Settings {
  return new Map(layers.flatMap((layer) => [...layer]))
}
