import { MqttError } from '@pipit/protocol'

/** A command that was refused; it changed nothing. */
export class LightCommandError extends MqttError {
  /** The field that was wrong; undefined when the whole message was. */
  readonly field: string | undefined
  /** What stood there, as parsed; undefined when nothing did. */
  readonly given: unknown
  /** What would be right. */
  readonly expected: string

  constructor(field: string | undefined, given: unknown, fault: string, expected: string) {
    super('COMMAND_REFUSED', `${fault}; ${expected}`)
    this.field = field
    this.given = given
    this.expected = expected
  }
}

/** A JSON object from outside. */
export type Fields = Readonly<Record<string, unknown>>

/** Reads the JSON object of a command from the bytes of a message, or from text.
 *  @param example a command that would be right, for the message
 *  @throws LightCommandError when it is no object */
export function parseFields(message: Uint8Array | string, example: string): Fields {
  const expected = `a command is an object such as ${example}`
  const text = decoded(message, expected)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const given = text === '' ? 'the command is empty' : `the command is not JSON: ${shown(text)}`
    throw new LightCommandError(undefined, text, given, expected)
  }
  if (!isFields(value)) {
    throw new LightCommandError(undefined, value, `the command is ${shown(value)}`, expected)
  }
  return value
}

/** A message as text.
 *  @throws LightCommandError when it is not UTF-8 */
export function decoded(message: Uint8Array | string, expected: string): string {
  try {
    return typeof message === 'string' ? message : new TextDecoder('utf-8', { fatal: true }).decode(message)
  } catch {
    throw new LightCommandError(undefined, undefined, 'the command is not UTF-8 text', expected)
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws LightCommandError unless `value` is a whole number within bounds */
export function whole(name: string, value: unknown, lowest: number, highest: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= lowest && value <= highest)
    return value + 0
  throw refused(name, value, `it takes a whole number from ${lowest} to ${highest}`)
}

/** @throws LightCommandError unless `value` is a number within bounds */
export function number(name: string, value: unknown, lowest: number, highest: number): number {
  if (typeof value === 'number' && value >= lowest && value <= highest) return value + 0
  throw refused(name, value, `it takes a number from ${lowest} to ${highest}`)
}

/** @throws LightCommandError unless `value` is one of the names */
export function oneOf<Name extends string>(field: string, value: unknown, names: readonly Name[]): Name {
  const found = names.find((name) => name === value)
  if (found !== undefined) return found
  throw refused(field, value, `it takes ${listed(names)}`)
}

/** The error that says what stood in a field, and what would be right. */
export function refused(field: string, value: unknown, expected: string): LightCommandError {
  const fault = value === undefined ? `${field} is missing` : `${field} is ${shown(value)}`
  return new LightCommandError(field, value, fault, expected)
}

/** `a, b or c`. */
export function listed(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

/** A value in a message for a person: short, as JSON. */
export function shown(value: unknown): string {
  // JSON has no word for the number 1e999.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`
}
