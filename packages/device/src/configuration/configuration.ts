import { DEFAULT_RECONNECT, type ReconnectSettings, type ReconnectState } from '../reconnect/policy.ts'
import { ConfigurationError } from './errors.ts'
import { isObject, Section, shortened } from './section.ts'
import type { ConfigurationFile } from './store.ts'

/** The MQTT part of a configuration file, checked, with every default in place. */
export interface DeviceConfiguration {
  readonly enabled: boolean
  readonly clientId: string
  readonly broker: string
  /** Default 1883; 8883 with `ssl`. */
  readonly port: number
  readonly username: string
  readonly password: string
  /** Seconds. */
  readonly keepalive: number
  readonly ssl: boolean
  /** true: the client of a device that sleeps; a wake reads what it needs. false: that of a device that stays awake
   *  and connected, and hands over messages in its own loop. */
  readonly useEsp32Client: boolean
  readonly topicDataPrefix: string
  readonly topicConfig: string
  readonly loadConfigFromMqtt: boolean
  /** Seconds that a wake waits for a configuration. */
  readonly configWaitTime: number
  readonly simulate: boolean | 'if-no-broker'
  readonly reconnect: ReconnectSettings
  readonly reconnectState: ReconnectState
  /** Of the file: which configuration is in force. 0 in a file without. */
  readonly version: number
  /** Of the file: seconds from one wake to the next. Default 600. */
  readonly updateInterval: number
}

/** Keys of the MQTT part, as the file writes them. */
export const MQTT_KEYS: readonly string[] = [
  'enabled',
  'client_id',
  'broker',
  'port',
  'username',
  'password',
  'keepalive',
  'ssl',
  'use_esp32_client',
  'topic_data_prefix',
  'topic_config',
  'load_config_from_mqtt',
  'config_wait_time',
  'simulate',
  'reconnect',
]

/** Keys of the whole file that this kit knows; the others are the program's. */
export const FILE_KEYS: readonly string[] = ['version', 'device_id', 'update_interval', 'mqtt']

/** Keys of `reconnect`. The last four are the device's own notes, which no update changes. */
export const RECONNECT_KEYS: readonly string[] = [
  'enabled',
  'max_attempts',
  'backoff_factor',
  'min_interval',
  'max_interval',
  'spread',
  'attempt_count',
  'last_attempt_time',
  'waited',
  'shortened',
]

/** The keys in `reconnect` that the device writes. */
export const STATE_KEYS: readonly string[] = RECONNECT_KEYS.slice(-4)

const YEAR = 31_536_000

/** Where the MQTT part of a file is: in its object `mqtt`, or, without one, the file itself. */
export function mqttPath(file: ConfigurationFile): 'mqtt' | undefined {
  return isObject(file.mqtt) ? 'mqtt' : undefined
}

/** The MQTT part of a file. */
export function mqttPart(file: ConfigurationFile): ConfigurationFile {
  return isObject(file.mqtt) ? file.mqtt : file
}

/** Reads the MQTT part of a configuration file: keys in snake_case or camelCase, in the file itself or in its object
 *  `mqtt`. `{device_id}` in a text stands for the file's `device_id`. Keys that it does not know are left alone.
 *  @throws ConfigurationError with every key that is wrong, and what it takes */
export function readConfiguration(file: ConfigurationFile): DeviceConfiguration {
  const path = mqttPath(file)
  if (path === undefined && file.mqtt !== undefined) {
    const message = `mqtt is ${shortened(file.mqtt)}; it takes an object`
    throw new ConfigurationError([{ key: 'mqtt', message }])
  }
  const section = new Section(mqttPart(file), path === undefined ? '' : `${path}.`)
  const whole = new Section(file, '', section.faults)
  const configuration = {
    ...read(section, named(file)),
    version: Math.floor(whole.state('version') ?? 0),
    updateInterval: whole.number('update_interval', 1, YEAR, 600),
  }
  if (section.faults.length > 0) throw new ConfigurationError(section.faults)
  return configuration
}

/** The device's name in a file: its `device_id`; empty without one. */
function named(file: ConfigurationFile): string {
  const name = file.device_id ?? file.deviceId
  return typeof name === 'string' ? name : ''
}

function read(section: Section, name: string): Omit<DeviceConfiguration, 'version' | 'updateInterval'> {
  const filled = (text: string): string => (name === '' ? text : text.replaceAll('{device_id}', name))
  const enabled = section.flag('enabled', true)
  const ssl = section.flag('ssl', false)
  // What is switched off need not be complete.
  const needed = (key: string, example: string, fallback = ''): string =>
    filled(enabled ? section.required(key, example, fallback) : section.text(key, fallback))
  const topicDataPrefix = filled(section.text('topic_data_prefix', 'sensors'))
  const topicConfig = filled(section.text('topic_config', ''))
  const loadConfigFromMqtt = section.flag('load_config_from_mqtt', false)
  checkTopics(section, topicDataPrefix, topicConfig, enabled && loadConfigFromMqtt)
  const reconnect = section.section('reconnect')
  return {
    enabled,
    clientId: needed('client_id', 'esp32-s3', name),
    broker: needed('broker', '192.168.1.10'),
    port: section.whole('port', 1, 65_535, ssl ? 8883 : 1883),
    username: section.text('username', ''),
    password: section.text('password', ''),
    keepalive: section.whole('keepalive', 0, 65_535, 60),
    ssl,
    useEsp32Client: section.flag('use_esp32_client', true),
    topicDataPrefix,
    topicConfig,
    loadConfigFromMqtt,
    configWaitTime: section.number('config_wait_time', 0, 3600, 1),
    simulate: section.choice('simulate', [true, false, 'if-no-broker'] as const, false),
    reconnect: readReconnect(reconnect),
    reconnectState: readState(reconnect),
  }
}

function checkTopics(section: Section, prefix: string, topicConfig: string, needed: boolean): void {
  const takes = 'it takes a topic without # and +'
  if (prefix === '' || WILDCARD.test(prefix) || prefix.endsWith('/')) {
    section.fault('topic_data_prefix', `is ${shortened(prefix)}; ${takes}, and without a slash at its end`)
  }
  if (WILDCARD.test(topicConfig)) section.fault('topic_config', `is ${shortened(topicConfig)}; ${takes}`)
  if (topicConfig === '' && needed) {
    section.fault('topic_config', 'is missing; load_config_from_mqtt needs it')
  }
}

const WILDCARD = /[#+\0]/

function readReconnect(section: Section): ReconnectSettings {
  const defaults = DEFAULT_RECONNECT
  const minInterval = section.number('min_interval', 1, YEAR, defaults.minInterval)
  const maxInterval = section.number('max_interval', 1, YEAR, Math.max(minInterval, defaults.maxInterval))
  if (maxInterval < minInterval) {
    section.fault('max_interval', `is ${maxInterval}; it takes no less than min_interval (${minInterval})`)
  }
  return {
    enabled: section.flag('enabled', defaults.enabled),
    maxAttempts: section.whole('max_attempts', 1, 1000, defaults.maxAttempts),
    backoffFactor: section.number('backoff_factor', 1, 100, defaults.backoffFactor),
    minInterval,
    maxInterval,
    spread: section.number('spread', 0, 0.5, defaults.spread),
  }
}

/** State that makes no sense counts as none: it must not keep a device in the field from its broker. */
function readState(section: Section): ReconnectState {
  const waited = section.state('waited')
  const shortened = section.state('shortened')
  return {
    attemptCount: Math.floor(section.state('attempt_count') ?? 0),
    lastAttemptTime: section.state('last_attempt_time') ?? 0,
    ...(waited === undefined ? {} : { waited }),
    ...(shortened === undefined ? {} : { shortened: Math.min(shortened, 0.5) }),
  }
}
