import {
  FILE_KEYS,
  MQTT_KEYS,
  mqttPath,
  RECONNECT_KEYS,
  readConfiguration,
  STATE_KEYS,
} from './configuration.ts'
import { ConfigurationError, type ConfigurationFault } from './errors.ts'
import { isObject, shortened, snakeCase } from './section.ts'
import type { ConfigurationFile } from './store.ts'
import { isCamelCase, spelledAs } from './write.ts'

/** What became of an update. */
export type UpdateResult =
  | { readonly outcome: 'applied'; readonly version: number; readonly file: ConfigurationFile }
  | { readonly outcome: 'ignored'; readonly version: number; readonly current: number }
  | {
      readonly outcome: 'refused'
      readonly version: number | undefined
      readonly faults: readonly ConfigurationFault[]
    }

export interface UpdateOptions {
  /** The program's own check of the whole new file; what it throws refuses the update. */
  readonly check?: (file: ConfigurationFile) => void
}

/** Merges an update into a configuration file, or says why not; changes neither.
 *
 *  The update is an object like the file, with the keys that are to change and a `version` above the file's. Objects
 *  are merged, anything else is replaced. A key that neither the kit nor the file knows is refused, and so is a value
 *  of another type than the file's. The reconnect policy's state and kept
 *  messages are the device's own and are left as they are.
 *  @param update what was received, as JSON text */
export function mergeUpdate(
  file: ConfigurationFile,
  update: string,
  options: UpdateOptions = {},
): UpdateResult {
  const given = parsed(update)
  if (!isObject(given)) {
    return refused(undefined, 'update', `the update is ${shortened(given)}; it takes a JSON object`)
  }
  const { version } = given
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
    const is = version === undefined ? 'is missing' : `is ${shortened(version)}`
    return refused(undefined, 'version', `version ${is}; it takes a whole number above the version in force`)
  }
  const current = versionOf(file)
  if (version <= current) return { outcome: 'ignored', version, current }
  const merge = new Merge()
  const merged = merge.file(file, given)
  const faults = merge.faults.length > 0 ? merge.faults : check(merged, options)
  return faults.length > 0
    ? { outcome: 'refused', version, faults }
    : { outcome: 'applied', version, file: merged }
}

/** The version of a file; 0 where it has none. */
export function versionOf(file: ConfigurationFile): number {
  const { version } = file
  return typeof version === 'number' && Number.isFinite(version) ? version : 0
}

/** One merging, with what was wrong about it. */
class Merge {
  readonly faults: ConfigurationFault[] = []

  file(file: ConfigurationFile, update: ConfigurationFile): ConfigurationFile {
    const nested = mqttPath(file) !== undefined
    const known = nested ? FILE_KEYS : [...FILE_KEYS, ...MQTT_KEYS]
    return this.object(file, update, '', known)
  }

  /** @param path of the object in the file, with a dot behind it
   *  @param known keys it may get that the file does not have */
  private object(
    present: ConfigurationFile,
    update: ConfigurationFile,
    path: string,
    known: readonly string[],
  ): ConfigurationFile {
    const camel = isCamelCase(present)
    const merged: Record<string, unknown> = { ...present }
    const seen = new Set<string>()
    for (const [key, value] of Object.entries(update)) {
      const name = spelledAs(present, key, camel && known.includes(snakeCase(key)))
      if (seen.has(name)) this.fault(`${path}${key}`, 'stands there in two spellings; keep one of them')
      seen.add(name)
      if (isOwnState(path, key)) continue
      if (!Object.hasOwn(present, name) && !known.includes(snakeCase(key))) this.unknown(path, key)
      else merged[name] = this.value(present[name], value, `${path}${name}`, known.includes(snakeCase(key)))
    }
    return merged
  }

  /** @param checked the kit knows the key, and what it takes is checked in the whole */
  private value(present: unknown, value: unknown, path: string, checked: boolean): unknown {
    if (isObject(value) && (isObject(present) || isReconnect(path))) {
      return this.object(isObject(present) ? present : {}, value, `${path}.`, knownIn(path))
    }
    if (!checked && present !== undefined && present !== null && kind(present) !== kind(value)) {
      this.fault(path, `is ${shortened(value)}; it takes ${kind(present)}, as in the file`)
    }
    return value
  }

  private unknown(path: string, key: string): void {
    const hint = path === '' && MQTT_KEYS.includes(snakeCase(key)) ? `; the file has it in "mqtt"` : ''
    this.fault(`${path}${key}`, `is no key of this configuration${hint}`)
  }

  private fault(key: string, what: string): void {
    this.faults.push({ key, message: `${key} ${what}` })
  }
}

function isReconnect(path: string): boolean {
  return path === 'reconnect' || path === 'mqtt.reconnect'
}

function isOwnState(path: string, key: string): boolean {
  if (path === '' && snakeCase(key) === 'kept_messages') return true
  return isReconnect(path.slice(0, -1)) && STATE_KEYS.includes(snakeCase(key))
}

function knownIn(path: string): readonly string[] {
  if (path === 'mqtt') return MQTT_KEYS
  return isReconnect(path) ? RECONNECT_KEYS : []
}

function check(merged: ConfigurationFile, options: UpdateOptions): readonly ConfigurationFault[] {
  try {
    readConfiguration(merged)
    options.check?.(merged)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    return [{ key: '', message: error instanceof Error ? error.message : String(error) }]
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function refused(version: number | undefined, key: string, message: string): UpdateResult {
  return { outcome: 'refused', version, faults: [{ key, message }] }
}

function kind(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return (
    { string: 'text', number: 'a number', boolean: 'true or false' }[typeof value as string] ?? typeof value
  )
}
