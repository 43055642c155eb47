import type { ConfigurationFault } from './errors.ts'
import type { ConfigurationFile } from './store.ts'

/** `max_attempts` as `maxAttempts`. */
export function camelCase(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** `maxAttempts` as `max_attempts`. */
export function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

export function isObject(value: unknown): value is ConfigurationFile {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The key as a file spells it, `client_id` or `clientId`; undefined when it has neither. */
export function spelling(section: ConfigurationFile, key: string): string | undefined {
  return [key, snakeCase(key), camelCase(key)].find((each) => Object.hasOwn(section, each))
}

/** Reads one object of a configuration and notes every fault instead of stopping at the first. Keys are asked for as
 *  the issue of this kit writes them (`client_id`) and found in camelCase too. */
export class Section {
  readonly faults: ConfigurationFault[]
  private readonly values: ConfigurationFile
  private readonly path: string

  /** @param path what the section is called in messages, with a dot behind it; empty for the whole file */
  constructor(values: ConfigurationFile, path: string, faults: ConfigurationFault[] = []) {
    this.values = values
    this.path = path
    this.faults = faults
  }

  flag(key: string, fallback: boolean): boolean {
    return this.take(key, fallback, 'true or false', (value) => typeof value === 'boolean')
  }

  text(key: string, fallback: string): string {
    return this.take(key, fallback, 'text', (value) => typeof value === 'string')
  }

  /** Text that the section must have, and not empty. */
  required(key: string, example: string, fallback = ''): string {
    if ((this.values[this.spelled(key)] ?? fallback) === '') {
      this.fault(key, `is missing; it takes text, such as "${example}"`)
    }
    return this.take(key, fallback, `text, such as "${example}"`, (value) => typeof value === 'string')
  }

  whole(key: string, least: number, most: number, fallback: number): number {
    const takes = `a whole number from ${least} to ${most}`
    return this.take(key, fallback, takes, (value) => Number.isInteger(value) && within(value, least, most))
  }

  number(key: string, least: number, most: number, fallback: number): number {
    return this.take(key, fallback, `a number from ${least} to ${most}`, (value) =>
      within(value, least, most),
    )
  }

  choice<T>(key: string, choices: readonly T[], fallback: T): T {
    const takes = choices.map((choice) => JSON.stringify(choice)).join(', ')
    return this.take(key, fallback, takes, (value) => choices.includes(value as T))
  }

  section(key: string): Section {
    const values = this.take<ConfigurationFile>(key, {}, 'an object', isObject)
    return new Section(values, `${this.path}${this.spelled(key)}.`, this.faults)
  }

  /** A number that is what it is without a word when it makes no sense: state that the device wrote itself. */
  state(key: string): number | undefined {
    const value = this.values[this.spelled(key)]
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
  }

  fault(key: string, what: string): void {
    const name = `${this.path}${this.spelled(key)}`
    this.faults.push({ key: name, message: `${name} ${what}` })
  }

  private take<T>(key: string, fallback: T, takes: string, fits: (value: unknown) => boolean): T {
    const [snake, camel] = [key, camelCase(key)]
    if (snake !== camel && Object.hasOwn(this.values, snake) && Object.hasOwn(this.values, camel)) {
      this.fault(key, `stands beside ${camel}; keep one of them`)
    }
    const name = this.spelled(key)
    if (!Object.hasOwn(this.values, name)) return fallback
    const value = this.values[name]
    if (fits(value)) return value as T
    this.fault(key, `is ${shortened(value)}; it takes ${takes}`)
    return fallback
  }

  private spelled(key: string): string {
    return spelling(this.values, key) ?? key
  }
}

/** A value as a message shows it. */
export function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function within(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most
}
