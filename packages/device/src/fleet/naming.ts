import type { ConfigurationFile } from '../configuration/store.ts'
import type { Scenario } from './scenario.ts'

/** Where a device's readings go. */
export function readingTopic(scenario: Scenario, id: string): string {
  return `${scenario.device.topic}/${id}/reading`
}

/** Where a device's configuration comes from. */
export function configurationTopic(scenario: Scenario, id: string): string {
  return `${scenario.device.topic}/${id}/config`
}

/** The name of a device by its number: `d-0007`. */
export function deviceId(index: number): string {
  return `d-${String(index).padStart(4, '0')}`
}

/** The number of the reading in a payload; undefined for what is no reading. */
export function sequenceOf(payload: string): number | undefined {
  const found = /^{"sequence":(\d+),/.exec(payload)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** The configuration with which a device leaves the factory. */
export function firstConfiguration(scenario: Scenario, id: string): ConfigurationFile {
  const { interval, reconnect, topic } = scenario.device
  return {
    version: 0,
    device_id: id,
    update_interval: interval / 1000,
    mqtt: {
      enabled: true,
      client_id: id,
      broker: 'fleet',
      topic_data_prefix: topic,
      topic_config: configurationTopic(scenario, id),
      load_config_from_mqtt: scenario.rollOut.length > 0,
      config_wait_time: 2,
      reconnect: {
        enabled: reconnect.enabled === 'yes',
        max_attempts: reconnect.maxAttempts,
        backoff_factor: reconnect.backoffFactor,
        min_interval: reconnect.minInterval / 1000,
        max_interval: reconnect.maxInterval / 1000,
        spread: reconnect.spread,
      },
    },
  }
}
