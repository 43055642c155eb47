import type { DeviceConfiguration } from '../configuration/configuration.ts'
import { readConfiguration } from '../configuration/configuration.ts'
import type { ConfigurationFile, ConfigurationStore } from '../configuration/store.ts'
import { mergeUpdate, type UpdateOptions, type UpdateResult } from '../configuration/update.ts'
import type { DeviceMessage, DevicePublishOptions } from '../link.ts'
import type { DeviceClient } from './device-client.ts'

export interface ConfigUpdateOptions extends UpdateOptions {
  /** Where the file is kept: a new one is saved there before it counts. */
  readonly store?: ConfigurationStore
  /** Told what happened, for a person; default `console.log`. */
  readonly say?: (line: string) => void
}

/** Asks the broker for a configuration and gives the one that is in force: `current` itself when there is no news.
 *
 *  With `use_esp32_client` it reads `topic_config` for up to `config_wait_time` seconds. Without, it stays subscribed:
 *  the first call waits, later ones take what has come. What became of an update is published, retained, on
 *  `<topic_config>/status`: `{"status":"applied","version":3}`; `ignored` for an older one; `refused` with the faults.
 *  An update that is refused, or cannot be saved, changes nothing.
 *  @param config the configuration file, or its MQTT part
 *  @param current the whole file
 *  @throws ConfigurationError for a `config` that is wrong; never for an update */
export async function checkConfigUpdate(
  client: DeviceClient | undefined,
  config: ConfigurationFile,
  current: ConfigurationFile,
  options: ConfigUpdateOptions = {},
): Promise<ConfigurationFile> {
  const configuration = readConfiguration(config)
  const { enabled, loadConfigFromMqtt, useEsp32Client, topicConfig, configWaitTime } = configuration
  if (client === undefined || !client.connected || !enabled || !loadConfigFromMqtt) return current
  const { say = console.log } = options
  try {
    const message = useEsp32Client
      ? await client.readTopic(topicConfig, configWaitTime)
      : await client.follow(topicConfig, configWaitTime)
    if (message === undefined) return current
    const result = await takeUpdate(client, configuration, current, message, options)
    const news = describe(result)
    if (news !== undefined) say(news)
    return result.outcome === 'applied' ? result.file : current
  } catch (error) {
    say(`no configuration was read: ${error instanceof Error ? error.message : String(error)}`)
    return current
  }
}

/** What acknowledging needs of a client. */
export interface StatusPublisher {
  publish(topic: string, message: string, options: DevicePublishOptions): Promise<unknown>
}

/** Merges a received update, saves it and acknowledges it; one that cannot be saved is refused. */
export async function takeUpdate(
  client: StatusPublisher,
  configuration: DeviceConfiguration,
  current: ConfigurationFile,
  message: DeviceMessage,
  options: ConfigUpdateOptions,
): Promise<UpdateResult> {
  const merged = mergeUpdate(current, new TextDecoder().decode(message.payload), options)
  const result = await saved(merged, options.store)
  const status = statusOf(result)
  if (status !== undefined) {
    // A status that does not arrive changes nothing about what is in force.
    await client
      .publish(`${configuration.topicConfig}/status`, JSON.stringify(status), { qos: 1, retain: true })
      .catch(() => {})
  }
  return result
}

async function saved(result: UpdateResult, store: ConfigurationStore | undefined): Promise<UpdateResult> {
  if (result.outcome !== 'applied' || store === undefined) return result
  try {
    await store.save(result.file)
    return result
  } catch (error) {
    const message = `it could not be saved: ${error instanceof Error ? error.message : String(error)}`
    return { outcome: 'refused', version: result.version, faults: [{ key: '', message }] }
  }
}

/** Nothing for the version in force: it was acknowledged when it came, and a retained one is read at every wake. */
function statusOf(result: UpdateResult): object | undefined {
  if (result.outcome === 'applied') return { status: 'applied', version: result.version }
  if (result.outcome === 'refused') {
    return { status: 'refused', version: result.version, faults: result.faults.slice(0, 10) }
  }
  if (result.version === result.current) return undefined
  return { status: 'ignored', version: result.version, current: result.current }
}

function describe(result: UpdateResult): string | undefined {
  if (result.outcome === 'applied') return `configuration ${result.version} is in force`
  if (result.outcome === 'refused') {
    const why = result.faults.map(({ message }) => message).join('; ')
    return `configuration ${result.version ?? 'without version'} is refused: ${why}`
  }
  if (result.version === result.current) return undefined
  return `configuration ${result.version} is older than ${result.current} and ignored`
}
