import type { MessageProperties } from './commands.ts'

/** A row as a database gives it. */
export type Row = Readonly<Record<string, unknown>>

/** Large numbers may come as text. */
export function numberOf(value: unknown): number {
  return Number(value ?? 0)
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(0)
}

/** A column that may be empty. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === null || value === undefined ? undefined : read(value)
}

/** Properties are kept as JSON. */
export function propertiesOf(value: unknown): MessageProperties | undefined {
  return optional(value, (text) => JSON.parse(textOf(text)) as MessageProperties)
}
