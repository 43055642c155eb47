import type { Random, WallClock } from '../clock.ts'
import { systemWallClock } from '../clock.ts'
import { type DeviceConfiguration, readConfiguration } from '../configuration/configuration.ts'
import type { ConfigurationFile, ConfigurationStore } from '../configuration/store.ts'
import { withReconnectState } from '../configuration/write.ts'
import type { ReconnectState } from '../reconnect/policy.ts'
import { attemptConnection } from './attempt.ts'
import { DeviceClient } from './device-client.ts'
import type { DeviceClientOptions } from './options.ts'

export interface SetupOptions {
  /** Where the whole configuration file is kept: the reconnect policy's state is saved there. */
  readonly store?: ConfigurationStore
  /** What the file cannot say: a will, certificates, where a simulated device prints. */
  readonly client?: Partial<DeviceClientOptions>
  readonly now?: WallClock
  /** Seconds the device was to sleep before this wake; default: the file's `update_interval`. */
  readonly slept?: number
  readonly random?: Random
  /** Told what happened, for a person; default `console.log`. */
  readonly say?: (line: string) => void
}

/** What a configuration says of the client. */
export function clientOptionsOf(
  configuration: DeviceConfiguration,
  more: Partial<DeviceClientOptions> = {},
): DeviceClientOptions {
  const { clientId, broker, port, username, password, keepalive, ssl, simulate } = configuration
  return {
    clientId,
    server: broker,
    port,
    user: username,
    password,
    keepAlive: keepalive,
    tls: ssl,
    simulate,
    polled: !configuration.useEsp32Client,
    ...more,
  }
}

/** Makes the device's client and connects it, as the configuration and its reconnect policy say. A wake that is not to
 *  try does no network input or output. The policy's state is noted in `config` itself and saved to `store`.
 *  @param config the configuration file, or its MQTT part; keys in snake_case or camelCase
 *  @returns the client, whose `connected` says whether there is a connection; undefined with `enabled: false`
 *  @throws ConfigurationError naming every key that is wrong; what `store` throws */
export async function setupMqtt(
  config: ConfigurationFile,
  options: SetupOptions = {},
): Promise<DeviceClient | undefined> {
  const { say = console.log, now = systemWallClock } = options
  const configuration = readConfiguration(config)
  if (!configuration.enabled) {
    say('MQTT is off (enabled: false)')
    return undefined
  }
  const client = new DeviceClient(clientOptionsOf(configuration, options.client))
  const { reconnect, reconnectState, broker, port, updateInterval } = configuration
  const wake = { now, slept: options.slept ?? updateInterval, nextWakeIn: updateInterval }
  const result = await attemptConnection(client, reconnect, reconnectState, wake, options.random)
  if (result.changed) await note(config, result.state, options.store)
  if (result.connected) say(`connected to ${broker}:${port} as ${client.clientId}`)
  else if (result.attempts === 0) say(`not connecting: ${result.reason}`)
  else say(`no connection to ${broker}:${port}: ${client.failure?.message}`)
  return client
}

async function note(
  config: ConfigurationFile,
  state: ReconnectState,
  store: ConfigurationStore | undefined,
): Promise<void> {
  // In the caller's object too: who saves it later must not bring back the state from before.
  if (!Object.isFrozen(config)) Object.assign(config, withReconnectState(config, state))
  if (store !== undefined) await store.save(withReconnectState(await store.load(), state))
}
