import { browserPlatform } from './browser-platform.ts'
import { MqttClient } from './client.ts'
import type { ClientOptions, Servers } from './options.ts'

export * from './exports.ts'

/** Makes a client that connects in the background; returns at once.
 *  @param servers ws://host/mqtt or wss://, or several that are tried in turn
 *  @throws TypeError, RangeError for options that cannot be */
export function open(servers: Servers, options: ClientOptions = {}): MqttClient {
  return new MqttClient(browserPlatform, servers, options, true)
}

/** Makes a client and waits for its first connection; one attempt, after which it reconnects by itself.
 *  @throws ConnectionRefusedError, ConnectionLostError, TimeoutError, `signal.reason` */
export async function connect(servers: Servers, options: ClientOptions = {}): Promise<MqttClient> {
  const client = new MqttClient(browserPlatform, servers, options, false)
  await client.started
  return client
}
