import type { Rgbw } from '../lights/colour.ts'
import { refused } from '../lights/fields.ts'
import type { LightState } from '../lights/light.ts'
import type { LightUpdate } from '../lights/update.ts'

export interface DialectMessage {
  readonly topic: string
  readonly payload: string
}

/** A command read from another dialect. */
export interface ReadCommand {
  /** What it changes; absent when it only asks for the state. */
  readonly update?: LightUpdate
  /** It asks for the state, without a change or besides. */
  readonly asks: boolean
  /** What the message said that a light here does not have, in words; empty: nothing. */
  readonly lost: readonly string[]
}

/** Messages of another dialect that say what one of ours does. */
export interface Written {
  readonly messages: readonly DialectMessage[]
  /** What that dialect cannot say, in words; empty: nothing. */
  readonly lost: readonly string[]
}

/** How others speak to a light, in both directions. No input and output: messages go in, messages come out. */
export interface LightDialect {
  /** Filters to subscribe for commands. */
  readonly commandFilters: readonly string[]
  /** Reads a command; undefined when the topic is not one of this light's.
   *  @throws LightCommandError naming the field, what was given and what would be right */
  readCommand(topic: string, payload: Uint8Array | string): ReadCommand | undefined
  /** Says what is to change of a light that speaks this dialect. */
  writeCommand(update: LightUpdate): Written
  /** Says what a light of ours is, as a light of this dialect would. */
  writeState(state: LightState): Written
}

/** Per cent of 255, whole. */
export function percentOf(value: number): number {
  return Math.round((value * 100) / 255)
}

/** Of 255, whole. */
export function fromPercent(value: number): number {
  return Math.round((value * 255) / 100)
}

/** An object without what is undefined. */
export function defined<Value>(fields: Record<string, Value | undefined>): Record<string, Value> {
  const entries = Object.entries(fields).filter((entry): entry is [string, Value] => entry[1] !== undefined)
  return Object.fromEntries(entries)
}

/** Reads `#RRGGBB` or `#RRGGBBWW`, with or without the first sign. */
export function readHex(field: string, value: unknown): Rgbw {
  const digits = typeof value === 'string' ? /^#?([0-9a-f]{6}(?:[0-9a-f]{2})?)$/i.exec(value)?.[1] : undefined
  if (digits === undefined) throw refused(field, value, 'it takes #RRGGBB or #RRGGBBWW')
  const [r = 0, g = 0, b = 0, w = 0] = digits.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? []
  return { r, g, b, w }
}
