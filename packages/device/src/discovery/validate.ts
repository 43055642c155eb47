import { topicFilterFault, topicNameFault } from '@pipit/protocol'
import { type Config, componentOf, expanded, isConfig } from './expand.ts'
import { COMPONENTS, type ComponentName, type DiscoveryField, type FieldPlace, fieldsOf } from './fields.ts'
import { DISCOVERY_PREFIX, type DiscoveryTopic, readDiscoveryTopic } from './topics.ts'

/** What is wrong with a discovery message, a line for each fault that names the field; empty: nothing.
 *  Home Assistant itself leaves out what it does not know without a word: here that is a fault.
 *  @param payload empty: the removal of what was announced, which is right */
export function discoveryFaults(
  topic: string,
  payload: Uint8Array | string,
  prefix: string = DISCOVERY_PREFIX,
): string[] {
  const where = readDiscoveryTopic(topic, prefix)
  if (typeof where === 'string') return [where]
  const text = typeof payload === 'string' ? payload : new TextDecoder().decode(payload)
  if (text === '') return []
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch {
    return ['the payload is not JSON']
  }
  if (!isConfig(config)) return ['the payload is no JSON object']
  const [migrates, ...more] = Object.keys(config)
  if (migrates === 'migrate_discovery' || migrates === 'migr_discvry') {
    const isRight = config[migrates] === true && more.length === 0
    return isRight ? [] : [`${migrates} stands alone, and is true`]
  }
  return where.component === 'device' ? deviceFaults(config) : singleFaults(config, where)
}

function singleFaults(config: Config, { component }: DiscoveryTopic): string[] {
  const kind = COMPONENTS.find((each) => each === component)
  if (kind === undefined)
    return [`the component "${component}" is not known here; known are ${COMPONENTS.join(', ')}`]
  const faults = twice(config, kind, '')
  const long = expanded(config, kind)
  faults.push(...fieldFaults(long, kind, ''), ...entityFaults(long, kind, ''))
  if (long['platform'] !== undefined) faults.push('platform is only for the device form')
  if (long['device'] !== undefined && long['unique_id'] === undefined) {
    faults.push('unique_id is missing: a device needs it')
  }
  return faults
}

function deviceFaults(config: Config): string[] {
  const faults = twice(config, 'device form', '')
  const long = expanded(config, 'device form')
  faults.push(...fieldFaults(long, 'device form', ''))
  const components = long['components']
  if (!isConfig(components)) return faults
  if (Object.keys(components).length === 0) faults.push('components is empty; it takes at least one')
  const seen = new Set<unknown>()
  for (const [id, component] of Object.entries(components)) {
    faults.push(...componentFaults(id, component, long))
    const uniqueId = isConfig(component) ? component['unique_id'] : undefined
    if (uniqueId !== undefined && seen.has(uniqueId)) faults.push(`components.${id}.unique_id stands twice`)
    seen.add(uniqueId)
  }
  return faults
}

/** What the root says holds for components that do not say it themselves. */
const SHARED = ['state_topic', 'command_topic', 'availability', 'availability_topic', '~']

function componentFaults(id: string, component: unknown, root: Config): string[] {
  const at = `components.${id}`
  if (!NAME.test(id)) return [`${at}: an identifier takes letters, digits, _ and -`]
  if (!isConfig(component)) return [`${at} is no object`]
  const kind = componentOf(component)
  if (kind === undefined) return [`${at}.platform takes ${COMPONENTS.join(', ')}`]
  // With nothing but its platform it is being removed.
  if (Object.keys(component).length === 1) return []
  const faults: string[] = []
  for (const shared of ['device', 'origin']) {
    if (component[shared] !== undefined) faults.push(`${at}.${shared} stands at the root in the device form`)
  }
  if (component['unique_id'] === undefined) faults.push(`${at}.unique_id is missing`)
  const inherited = SHARED.filter((name) => root[name] !== undefined && component[name] === undefined)
  const whole = { ...Object.fromEntries(inherited.map((name) => [name, root[name]])), ...component }
  const own = Object.fromEntries(Object.entries(whole).filter(([name]) => takes(kind, name, component)))
  return [...faults, ...fieldFaults(own, kind, `${at}.`), ...entityFaults(own, kind, `${at}.`)]
}

/** A sensor is not told of the command topic that the root has for the lights. */
function takes(kind: ComponentName, name: string, component: Config): boolean {
  return component[name] !== undefined || fieldsOf(kind).has(name)
}

/** Fields that are there under their long and their short name. */
function twice(config: Config, place: FieldPlace, at: string): string[] {
  const names = Object.keys(config).map((name) => fieldsOf(place).get(name)?.name ?? name)
  return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))].map(
    (name) => `${at}${name} stands twice`,
  )
}

function fieldFaults(config: Config, place: FieldPlace, at: string): string[] {
  const fields = fieldsOf(place)
  const faults: string[] = []
  for (const [name, value] of Object.entries(config)) {
    const field = fields.get(name)
    if (field === undefined) faults.push(`${at}${name} is not documented${GONE.get(name) ?? ''}`)
    else faults.push(...valueFaults(field, base(value, field, config['~']), `${at}${name}`))
  }
  for (const { name, required } of new Set(fields.values())) {
    if (required === true && config[name] === undefined) faults.push(`${at}${name} is missing`)
  }
  return faults
}

const GONE: ReadonlyMap<string, string> = new Map([
  ['object_id', ': Home Assistant 2026.4 removed it; default_entity_id takes its place'],
  ['obj_id', ': Home Assistant 2026.4 removed it; default_entity_id takes its place'],
  ['color_mode', ': it follows from supported_color_modes'],
])

/** A topic with the base topic in the place of `~`. */
function base(value: unknown, { kind }: DiscoveryField, tilde: unknown): unknown {
  if (kind !== 'topic' || typeof value !== 'string' || typeof tilde !== 'string') return value
  return value.replace(/^~/, tilde).replace(/~$/, tilde)
}

const NAME = /^[a-zA-Z0-9_-]+$/

function valueFaults(field: DiscoveryField, value: unknown, at: string): string[] {
  const { kind, choices, name } = field
  switch (kind) {
    case 'object':
      if (!isConfig(value)) return [`${at} takes an object`]
      return name === 'components'
        ? []
        : fieldFaults(value, name as FieldPlace, `${at}.`).concat(deviceHas(name, value, at))
    case 'list of objects': {
      if (!Array.isArray(value)) return [`${at} takes a list`]
      return value.flatMap((each: unknown, i) =>
        isConfig(each) ? fieldFaults(each, 'availability', `${at}[${i}].`) : [`${at}[${i}] takes an object`],
      )
    }
    case 'topic': {
      const fault = typeof value !== 'string' ? 'takes text' : topicFault(name, value)
      return fault === undefined ? [] : [`${at}: ${fault}`]
    }
    default: {
      const isRight = CHECKS[kind](value)
      if (!isRight) return [`${at} is ${JSON.stringify(value)}; it takes ${phrase(kind)}`]
      const items = Array.isArray(value) ? value : [value]
      const wrong = items.find(
        (item) => item !== null && choices !== undefined && !choices.includes(String(item)),
      )
      return wrong === undefined ? [] : [`${at} is ${JSON.stringify(wrong)}; it takes ${choices?.join(', ')}`]
    }
  }
}

function topicFault(name: string, value: string): string | undefined {
  return name === 'command_topic' ? topicNameFault(value) : topicFilterFault(value)
}

function deviceHas(name: string, device: Config, at: string): string[] {
  if (name !== 'device' || device['identifiers'] !== undefined || device['connections'] !== undefined)
    return []
  return [`${at} takes identifiers or connections`]
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)

const CHECKS = {
  text: isText,
  'text or null': (value: unknown) => value === null || isText(value),
  template: isText,
  flag: (value: unknown) => typeof value === 'boolean',
  'whole number': (value: unknown) => Number.isInteger(value) && (value as number) >= 0,
  QoS: (value: unknown) => value === 0 || value === 1 || value === 2,
  'list of text': isTexts,
  'text or list of text': (value: unknown) => isText(value) || isTexts(value),
  'list of pairs': (value: unknown) =>
    Array.isArray(value) && value.every((pair) => isTexts(pair) && (pair as unknown[]).length === 2),
} as const

function phrase(kind: keyof typeof CHECKS): string {
  if (kind === 'flag') return 'true or false'
  return kind === 'QoS' ? '0, 1 or 2' : kind === 'whole number' ? 'a whole number from 0 on' : kind
}

/** What holds between fields. */
function entityFaults(config: Config, kind: ComponentName, at: string): string[] {
  const faults: string[] = []
  if (config['availability'] !== undefined && config['availability_topic'] !== undefined) {
    faults.push(`${at}availability and availability_topic exclude each other`)
  }
  const id = config['default_entity_id']
  if (typeof id === 'string' && !id.startsWith(`${kind}.`)) {
    faults.push(
      `${at}default_entity_id is ${JSON.stringify(id)}; it takes a whole entity id such as ${kind}.lamp`,
    )
  }
  if (kind !== 'light') faults.push(...sensorFaults(config, at))
  const modes = config['supported_color_modes']
  if (Array.isArray(modes) && modes.length > 1 && (modes.includes('onoff') || modes.includes('brightness'))) {
    faults.push(`${at}supported_color_modes: onoff and brightness stand alone`)
  }
  for (const unit of ['kelvin', 'mireds']) {
    const [low, high] = [config[`min_${unit}`], config[`max_${unit}`]]
    if (typeof low === 'number' && typeof high === 'number' && low > high) {
      faults.push(`${at}min_${unit} is above max_${unit}`)
    }
  }
  return faults
}

/** What Home Assistant asks of sensors beyond their fields. */
function sensorFaults(config: Config, at: string): string[] {
  const faults: string[] = []
  if (config['entity_category'] === 'config')
    faults.push(`${at}entity_category of a sensor takes diagnostic only`)
  if (config['options'] !== undefined) {
    if (config['device_class'] !== 'enum') faults.push(`${at}options needs the device_class enum`)
    for (const other of ['state_class', 'unit_of_measurement']) {
      if (config[other] !== undefined) faults.push(`${at}options and ${other} exclude each other`)
    }
  }
  if (config['last_reset_value_template'] !== undefined && config['state_class'] !== 'total') {
    faults.push(`${at}last_reset_value_template needs the state_class total`)
  }
  return faults
}
