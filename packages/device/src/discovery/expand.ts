import { type FieldPlace, fieldsOf } from './fields.ts'

/** A JSON object of a discovery message. */
export type Config = Readonly<Record<string, unknown>>

export function isConfig(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects that fields hold, and where theirs are found in the table. */
const INSIDE: ReadonlyMap<string, FieldPlace> = new Map([
  ['device', 'device'],
  ['origin', 'origin'],
  ['availability', 'availability'],
])

/** The configuration with every field's long name; unknown ones stay as they are. */
export function expanded(config: Config, place: FieldPlace): Config {
  return renamed(config, place, (field) => fieldsOf(place).get(field)?.name ?? field, expanded)
}

/** The configuration with every field's short name, where it has one. */
export function abbreviated(config: Config, place: FieldPlace): Config {
  return renamed(config, place, (field) => fieldsOf(place).get(field)?.short ?? field, abbreviated)
}

function renamed(
  config: Config,
  place: FieldPlace,
  name: (field: string) => string,
  inner: (config: Config, place: FieldPlace) => Config,
): Config {
  const fields = fieldsOf(place)
  const entries = Object.entries(config).map(([field, value]) => {
    const long = fields.get(field)?.name ?? field
    return [name(field), inside(value, long, inner)]
  })
  return Object.fromEntries(entries)
}

function inside(
  value: unknown,
  field: string,
  inner: (config: Config, place: FieldPlace) => Config,
): unknown {
  const place = INSIDE.get(field)
  if (place !== undefined) {
    if (Array.isArray(value)) return value.map((each) => (isConfig(each) ? inner(each, place) : each))
    return isConfig(value) ? inner(value, place) : value
  }
  if (field !== 'components' || !isConfig(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([id, component]) => {
      const kind = isConfig(component) ? componentOf(component) : undefined
      return [id, isConfig(component) && kind !== undefined ? inner(component, kind) : component]
    }),
  )
}

/** What a component of the device form is; undefined when it does not say, or it is not known here. */
export function componentOf(component: Config): 'light' | 'sensor' | 'binary_sensor' | undefined {
  const platform = component['platform'] ?? component['p']
  return platform === 'light' || platform === 'sensor' || platform === 'binary_sensor' ? platform : undefined
}
