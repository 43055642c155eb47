import { EFFECT_NAMES } from '../lights/effects.ts'
import { COLDEST_MIREDS, FLASH_SECONDS, WARMEST_MIREDS } from '../lights/home-assistant.ts'
import { lightTopics } from '../lights/topics.ts'
import { DEFAULT_PREFIX } from '../link.ts'
import { type Sensor, traitsOf } from '../sensors/sensor.ts'
import { abbreviated, type Config } from './expand.ts'
import type { ComponentName } from './fields.ts'
import { DISCOVERY_PREFIX, discoveryTopic } from './topics.ts'

/** A device and what it has, to announce to Home Assistant. */
export interface DeviceDescription {
  /** Identifies it for ever; letters, digits, _ and -. */
  readonly id: string
  readonly name: string
  /** What its topics begin with; default `sensors/esp32-s3`. */
  readonly prefix?: string
  /** It has a light that runs with `homeAssistant: true`. */
  readonly light?: boolean
  /** Whatever `runSensor` publishes. */
  readonly sensors?: readonly Sensor[]
  /** Seconds after which a reading no longer counts; default: they count until the device is offline. */
  readonly expireAfterSeconds?: number
  readonly manufacturer?: string
  readonly model?: string
  readonly serialNumber?: string
  readonly hardwareVersion?: string
  readonly softwareVersion?: string
  readonly suggestedArea?: string
  /** `http://…` or `https://…`. */
  readonly configurationUrl?: string
  /** Such as `[['mac', '02:5b:26:a8:dc:12']]`. */
  readonly connections?: readonly (readonly [type: string, identifier: string])[]
}

/** The program that announces. */
export interface Origin {
  readonly name: string
  readonly softwareVersion?: string
  readonly supportUrl?: string
}

/** One message for each component, or one for all of the device. */
export type DiscoveryForm = 'device' | 'single'

export interface DiscoveryMessage {
  readonly topic: string
  readonly payload: string
}

export interface DiscoveryFormOptions {
  /** Default `device`. */
  readonly form?: DiscoveryForm
  /** Default `homeassistant`. */
  readonly discoveryPrefix?: string
  readonly origin?: Origin
  /** Fields by their long names, for people to read; default: the short ones. */
  readonly longNames?: boolean
}

/** The messages that announce a device: one in the device form, else one for each component, with the device's
 *  identifier as the node.
 *  @throws RangeError when the device has nothing, or an identifier cannot stand in a topic */
export function discoveryMessages(
  description: DeviceDescription,
  options: DiscoveryFormOptions = {},
): DiscoveryMessage[] {
  const { form = 'device', discoveryPrefix = DISCOVERY_PREFIX, origin = { name: '@pipit/device' } } = options
  const components = Object.entries(componentsOf(description))
  if (components.length === 0)
    throw new RangeError(`${description.id} has neither a light nor a sensor to announce`)
  const short = options.longNames === true ? (config: Config) => config : abbreviated
  const shared = { device: deviceOf(description), origin: originOf(origin), ...availabilityOf(description) }
  if (form === 'device') {
    const topic = discoveryTopic(
      { component: 'device', nodeId: undefined, objectId: description.id },
      discoveryPrefix,
    )
    const whole = { ...shared, components: Object.fromEntries(components) }
    return [{ topic, payload: JSON.stringify(short(whole, 'device form')) }]
  }
  return components.map(([objectId, { platform, ...config }]) => ({
    topic: discoveryTopic({ component: platform, nodeId: description.id, objectId }, discoveryPrefix),
    payload: JSON.stringify(short({ ...config, ...shared }, platform)),
  }))
}

type Component = Config & { readonly platform: ComponentName }

function componentsOf(description: DeviceDescription): Record<string, Component> {
  const components: Record<string, Component> = {}
  if (description.light === true) components['light'] = lightComponent(description)
  for (const sensor of description.sensors ?? [])
    components[sensor.quantity] = sensorComponent(description, sensor)
  return components
}

function lightComponent({ id, prefix }: DeviceDescription): Component {
  const topics = lightTopics(prefix)
  return {
    platform: 'light',
    unique_id: `${id}_light`,
    default_entity_id: `light.${slug(id)}`,
    name: null,
    schema: 'json',
    command_topic: topics.homeAssistantSet,
    state_topic: topics.homeAssistantState,
    brightness: true,
    supported_color_modes: ['color_temp', 'rgbw'],
    min_mireds: COLDEST_MIREDS,
    max_mireds: WARMEST_MIREDS,
    effect: true,
    effect_list: ['none', ...EFFECT_NAMES],
    flash_time_short: FLASH_SECONDS.short,
    flash_time_long: FLASH_SECONDS.long,
    qos: 1,
  }
}

function sensorComponent(
  { id, prefix = DEFAULT_PREFIX, expireAfterSeconds }: DeviceDescription,
  sensor: Sensor,
): Component {
  const { quantity } = sensor
  const traits = traitsOf(sensor)
  const isBinary = traits.kind === 'binary'
  const platform = isBinary ? 'binary_sensor' : 'sensor'
  return {
    platform,
    unique_id: `${id}_${quantity}`,
    default_entity_id: `${platform}.${slug(id)}_${slug(quantity)}`,
    name: titled(quantity),
    state_topic: `${prefix}/${quantity}`,
    value_template: isBinary
      ? `{{ 'ON' if value_json['${quantity}'] else 'OFF' }}`
      : `{{ value_json['${quantity}'] }}`,
    ...(traits.deviceClass !== undefined && { device_class: traits.deviceClass }),
    ...(expireAfterSeconds !== undefined && { expire_after: expireAfterSeconds }),
    ...(!isBinary && {
      ...(traits.unit !== '' && { unit_of_measurement: traits.unit }),
      ...(traits.stateClass !== undefined && { state_class: traits.stateClass }),
      suggested_display_precision: traits.decimals,
    }),
    ...(quantity === 'battery' && { entity_category: 'diagnostic' }),
    qos: 1,
  }
}

/** The device says online there, and its will says offline. */
function availabilityOf({ prefix }: DeviceDescription): Config {
  return {
    availability_topic: lightTopics(prefix).status,
    payload_available: 'online',
    payload_not_available: 'offline',
  }
}

function deviceOf(description: DeviceDescription): Config {
  const { id, name, connections, manufacturer, model, serialNumber, suggestedArea, configurationUrl } =
    description
  return defined({
    identifiers: [id],
    name,
    connections,
    manufacturer,
    model,
    serial_number: serialNumber,
    hw_version: description.hardwareVersion,
    sw_version: description.softwareVersion,
    suggested_area: suggestedArea,
    configuration_url: configurationUrl,
  })
}

function originOf({ name, softwareVersion, supportUrl }: Origin): Config {
  return defined({ name, sw_version: softwareVersion, support_url: supportUrl })
}

function defined(config: Config): Config {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}

/** As entity ids are written: small letters, digits and _. */
function slug(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')
}

function titled(quantity: string): string {
  return quantity.charAt(0).toUpperCase() + quantity.slice(1).replaceAll('_', ' ')
}
