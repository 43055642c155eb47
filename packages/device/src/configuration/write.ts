import type { ReconnectState } from '../reconnect/policy.ts'
import { MQTT_KEYS, mqttPart, mqttPath, RECONNECT_KEYS, STATE_KEYS } from './configuration.ts'
import { camelCase, isObject, spelling } from './section.ts'
import type { ConfigurationFile } from './store.ts'

/** Says whether an object of a file spells its keys in camelCase. */
export function isCamelCase(section: ConfigurationFile): boolean {
  const keys = [...MQTT_KEYS, ...RECONNECT_KEYS]
  return keys.some((key) => key !== camelCase(key) && Object.hasOwn(section, camelCase(key)))
}

/** The key as the file has it or, where it is new, as the file spells others. */
export function spelledAs(section: ConfigurationFile, key: string, camel: boolean): string {
  return spelling(section, key) ?? (camel ? camelCase(key) : key)
}

/** A copy of the file with the reconnect policy's state in it; all else stays as it is. */
export function withReconnectState(file: ConfigurationFile, state: ReconnectState): ConfigurationFile {
  const mqtt = mqttPart(file)
  const present = isObject(mqtt.reconnect) ? mqtt.reconnect : {}
  const camel = isCamelCase(mqtt) || isCamelCase(present)
  const changed: Record<string, unknown> = { ...present }
  const values: Record<string, number | undefined> = {
    attempt_count: state.attemptCount,
    last_attempt_time: state.lastAttemptTime,
    waited: state.waited,
    shortened: state.shortened,
  }
  for (const key of STATE_KEYS) {
    const name = spelledAs(present, key, camel)
    if (values[key] === undefined) delete changed[name]
    else changed[name] = values[key]
  }
  const part = { ...mqtt, reconnect: changed }
  return mqttPath(file) === undefined ? part : { ...file, mqtt: part }
}

/** A copy of the file with messages for a later wake in it; without any, without the key. */
export function withKeptMessages(file: ConfigurationFile, messages: readonly unknown[]): ConfigurationFile {
  const name = spelledAs(file, 'kept_messages', isCamelCase(mqttPart(file)))
  const { [name]: _, ...rest } = file
  return messages.length === 0 ? rest : { ...rest, [name]: messages }
}
