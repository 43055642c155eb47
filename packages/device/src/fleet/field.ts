import { durationOf, shareOf } from './units.ts'

/** Where in a document something stands: keys, and places in lists. */
export type Path = readonly (string | number)[]

/** What is wrong with a document. */
export interface FieldFault {
  readonly path: Path
  /** Without its place: what it is and what would be right. */
  readonly message: string
}

/** A value that a document may hold: how it is read, and what stands for it when it is absent. */
export interface Field<T> {
  /** Absent: the document has to say it. */
  readonly fallback?: T
  /** Puts what is wrong with `value` into `faults`; then what it returns means nothing. */
  readonly read: (value: unknown, path: Path, faults: FieldFault[]) => T
  /** The fields of a section or of a list's entries, for the guide. */
  readonly fields?: Fields
  readonly takes: string
}

export interface Fields {
  readonly [name: string]: Field<unknown>
}

export type Values<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

/** The key of a field in a document: `brownOuts` is written `brown_outs`. */
export function keyOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** A length of time in milliseconds, written with its unit. */
export function duration(fallback?: string, least = 0, most = Number.POSITIVE_INFINITY): Field<number> {
  const bounds = `${least > 0 ? `, ${least} ms at least` : ''}${Number.isFinite(most) ? `, ${most / 86_400_000} days at most` : ''}`
  return scalar(
    fallback === undefined ? undefined : durationOf(fallback),
    `a time such as 90s, 10m or 1h30m${bounds}`,
    (value) => {
      const ms = typeof value === 'string' ? durationOf(value) : value === 0 ? 0 : undefined
      return ms !== undefined && ms >= least && ms <= most ? ms : undefined
    },
  )
}

/** A part of a whole, 0 to 1. */
export function share(fallback?: number, most = 1): Field<number> {
  return scalar(fallback, `a part such as 10 % or 0.1, ${most * 100} % at most`, (value) => {
    const read = shareOf(value)
    return read !== undefined && read <= most ? read : undefined
  })
}

export function number(fallback: number, least: number, most: number, whole = false): Field<number> {
  return scalar(fallback, `a ${whole ? 'whole ' : ''}number from ${least} to ${most}`, (value) =>
    typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value))
      ? value
      : undefined,
  )
}

export function choice<const T extends string>(fallback: T, ...choices: readonly T[]): Field<T> {
  const all = [fallback, ...choices]
  return scalar(fallback, all.join(' or '), (value) => all.find((each) => each === value))
}

export function text(fallback: string, pattern: RegExp, takes: string): Field<string> {
  return scalar(fallback, takes, (value) =>
    typeof value === 'string' && pattern.test(value) ? value : undefined,
  )
}

/** A moment, as ISO 8601 has it, in milliseconds since 1970. */
export function moment(fallback: string): Field<number> {
  return scalar(Date.parse(fallback), 'a moment such as 2026-06-21T00:00:00Z', (value) => {
    const ms =
      value instanceof Date
        ? value.getTime()
        : typeof value === 'string' && /^\d{4}-/.test(value)
          ? Date.parse(value)
          : Number.NaN
    return Number.isNaN(ms) ? undefined : ms
  })
}

/** An object that is passed on as it is. */
export function object(): Field<Readonly<Record<string, unknown>>> {
  return scalar(undefined, 'keys and values', (value) => (isRecord(value) ? value : undefined))
}

/** Named fields; a key that is none of them is a fault. */
export function section<F extends Fields>(fields: F): Field<Values<F>> {
  return {
    fields,
    takes: 'keys and values',
    // An absent section is one of fallbacks only; a field in it that has none is missing.
    fallback: undefined as unknown as Values<F>,
    read(value, path, faults) {
      const given = value ?? {}
      if (!isRecord(given)) faults.push({ path, message: `${named(path)} takes keys and values` })
      else return readFields(fields, given, path, faults)
      return {} as Values<F>
    },
  }
}

/** Any number of one kind of entry, none when absent. */
export function list<F extends Fields>(fields: F): Field<readonly Values<F>[]> {
  const entry = section(fields)
  return {
    fields,
    takes: 'a list',
    fallback: [],
    read(value, path, faults) {
      if (value === undefined || value === null) return []
      if (Array.isArray(value)) return value.map((each, i) => entry.read(each, [...path, i], faults))
      faults.push({
        path,
        message: `${named(path)} takes a list: a line that begins with "- " for each entry`,
      })
      return []
    },
  }
}

function scalar<T>(
  fallback: T | undefined,
  takes: string,
  readValue: (value: unknown) => T | undefined,
): Field<T> {
  return {
    ...(fallback === undefined ? {} : { fallback }),
    takes,
    read(value, path, faults) {
      const read = readValue(value)
      if (read === undefined)
        faults.push({ path, message: `${named(path)} is ${shown(value)}; it takes ${takes}` })
      return read as T
    },
  }
}

function readFields<F extends Fields>(
  fields: F,
  given: Readonly<Record<string, unknown>>,
  path: Path,
  faults: FieldFault[],
): Values<F> {
  const read: Record<string, unknown> = {}
  const keys = new Set<string>()
  for (const [name, field] of Object.entries(fields)) {
    const key = keyOf(name)
    keys.add(key)
    const value = given[key]
    const isAbsent = value === undefined || value === null
    if (!isAbsent || field.fields !== undefined) read[name] = field.read(value, [...path, key], faults)
    else if ('fallback' in field) read[name] = field.fallback
    else faults.push({ path, message: `${named([...path, key])} is missing; it takes ${field.takes}` })
  }
  for (const key of Object.keys(given)) {
    if (!keys.has(key)) faults.push({ path: [...path, key], message: unknownKey([...path, key], [...keys]) })
  }
  return read as Values<F>
}

function unknownKey(path: Path, known: readonly string[]): string {
  const key = String(path.at(-1)).replaceAll(/[-_ ]/g, '').toLowerCase()
  const near = known.find((each) => {
    const plain = each.replaceAll('_', '')
    return plain.startsWith(key) || key.startsWith(plain) || sharesLetters(plain, key)
  })
  const hint = near === undefined ? `there is: ${known.join(', ')}` : `did you mean ${near}?`
  return `there is no ${named(path)}; ${hint}`
}

/** Says whether two words differ by a letter or two: a typing mistake. */
function sharesLetters(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1 || Math.min(a.length, b.length) < 3) return false
  let front = 0
  while (front < a.length && a[front] === b[front]) front++
  let back = 0
  while (back < Math.min(a.length, b.length) - front && a.at(-1 - back) === b.at(-1 - back)) back++
  return Math.max(a.length, b.length) - front - back <= 2
}

function named(path: Path): string {
  if (path.length === 0) return 'the scenario'
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('')
}

function shown(value: unknown): string {
  const json = JSON.stringify(value)
  return json === undefined ? String(value) : json.length > 60 ? `${json.slice(0, 59)}…` : json
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
