import { systemWallClock, type WallClock } from '../clock.ts'
import { readConfiguration } from '../configuration/configuration.ts'
import type { ConfigurationFile } from '../configuration/store.ts'
import type { DevicePublishOptions } from '../link.ts'
import type { DeviceClient } from './device-client.ts'

/** Which sensor measured: its `id`, or its name in small letters with _ for spaces; a text is an id. */
export type SensorName = string | { readonly id?: string; readonly name?: string; readonly unit?: string }

export interface SensorDataOptions extends DevicePublishOptions {
  /** Stands in the JSON document, in seconds since 1970. */
  readonly now?: WallClock
  readonly say?: (line: string) => void
}

/** One message for each quantity and one for all. */
export interface SensorMessage {
  readonly topic: string
  readonly payload: string
}

/** Publishes a temperature and a humidity: each on `<topic_data_prefix>/<device>/<quantity>` as a number, and both as
 *  a JSON document on `<topic_data_prefix>/<device>/data`. A value that is no number is left out.
 *  @param config the configuration file, or its MQTT part
 *  @param options.qos default 1
 *  @returns true when the broker has all of it; false without a client, a connection or a value, which `say` is told
 *  @throws ConfigurationError; RangeError for a sensor whose name no topic can have */
export async function publishSensorData(
  client: DeviceClient | undefined,
  config: ConfigurationFile,
  sensor: SensorName,
  temperature: number | undefined,
  humidity: number | undefined,
  options: SensorDataOptions = {},
): Promise<boolean> {
  const { say = console.log, qos = 1, retain = false, now = systemWallClock } = options
  const { topicDataPrefix } = readConfiguration(config)
  const messages = sensorMessages(topicDataPrefix, sensor, { temperature, humidity }, now())
  if (client === undefined || !client.connected) return said(say, 'there is no connection')
  if (messages.length === 0) return said(say, 'the sensor gave no number')
  try {
    await Promise.all(messages.map(({ topic, payload }) => client.publish(topic, payload, { qos, retain })))
    return true
  } catch (error) {
    return said(say, error instanceof Error ? error.message : String(error))
  }
}

/** What is published of a sensor's values: nothing when none is a number.
 *  @param at seconds since 1970
 *  @throws RangeError for a sensor whose name no topic can have */
export function sensorMessages(
  prefix: string,
  sensor: SensorName,
  values: Readonly<Record<string, number | undefined>>,
  at: number,
): SensorMessage[] {
  const base = `${prefix}/${deviceName(sensor)}`
  const measured = Object.entries(values).filter(([, value]) => Number.isFinite(value))
  if (measured.length === 0) return []
  const unit = typeof sensor === 'string' ? undefined : sensor.unit
  const document = { ...Object.fromEntries(measured), unit, time: Math.round(at) }
  return [
    ...measured.map(([quantity, value]) => ({ topic: `${base}/${quantity}`, payload: String(value) })),
    { topic: `${base}/data`, payload: JSON.stringify(document) },
  ]
}

/** The level of the topic that stands for the device. */
function deviceName(sensor: SensorName): string {
  const name =
    typeof sensor === 'string' ? sensor : (sensor.id ?? sensor.name?.toLowerCase().replaceAll(' ', '_') ?? '')
  if (name === '' || /[#+\0/]/.test(name)) {
    throw new RangeError(
      `the sensor is called ${JSON.stringify(name)}; it takes a name without /, # and +, such as living-room`,
    )
  }
  return name
}

function said(say: (line: string) => void, why: string): false {
  say(`sensor data is not published: ${why}`)
  return false
}
