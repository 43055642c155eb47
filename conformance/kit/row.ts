import type { BrokerOptions } from '@pipit/broker'
import type { World } from './world.ts'

/** `5.0 MQTT-4.3.3-4 server`: a statement of a version, and on which side the row shows it. */
export type Covered = `${'3.1.1' | '5.0'} MQTT-${string} ${'server' | 'client'}`

/** The protocol level byte. */
export type Version = 3 | 4 | 5

/** One thing that happens in an exchange; it throws when it does not happen. */
export interface Step {
  /** For the message of a failure. */
  readonly name: string
  /** Reaches into the server, its clock for one: such a row only runs against a server in this process. */
  readonly oursOnly?: true
  run(world: World): void | Promise<void>
}

/** One exchange between a server and its clients, and the statements that it shows. */
export interface Row {
  /** Empty for what no numbered statement says. */
  readonly covers: readonly Covered[]
  readonly name: string
  /** Default: the versions of `covers`, and 3.1 beside 3.1.1. */
  readonly versions?: readonly Version[]
  /** MQTT 3.1 says something else here, or nothing. */
  readonly not31?: true
  /** The server of this row is made with these; such a row only runs against a server in this process. */
  readonly options?: BrokerOptions
  readonly steps: readonly Step[] | ((version: Version) => readonly Step[])
  /** Why the row is not run; it covers nothing then. */
  readonly todo?: string
}

/** A section of the specification. */
export interface Table {
  readonly title: string
  readonly rows: readonly Row[]
}

/** The versions in which a row runs. */
export function versionsOf(row: Row): readonly Version[] {
  if (row.versions !== undefined) return row.versions
  const named = new Set(row.covers.map((key) => (key.startsWith('5.0 ') ? 5 : 4) as Version))
  if (named.has(4) && row.not31 !== true) named.add(3)
  return [...named].sort()
}

/** The steps of a row in one version. */
export function stepsOf(row: Row, version: Version): readonly Step[] {
  return typeof row.steps === 'function' ? row.steps(version) : row.steps
}
