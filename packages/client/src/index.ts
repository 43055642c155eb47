import { MqttClient } from './client.ts'
import { type NodeClientOptions, nodePlatform } from './node-platform.ts'
import type { Servers } from './options.ts'

export { reasonCodeName } from '@pipit/protocol'
export { AuthenticationError } from './authenticator.ts'
export { describeReason } from './describe-reason.ts'
export { MessageExpiredError } from './expiry.ts'
export * from './exports.ts'
export type { NodeClientOptions } from './node-platform.ts'
export { PoisonMessageError } from './quarantine.ts'
export { MessageDroppedError } from './queue-policies.ts'
export { type ScramOptions, scramSha256 } from './scram.ts'
export { fileStore } from './store/file.ts'
export { memoryStore } from './store/memory.ts'
export { StoreError } from './store/store.ts'
export { memoryPair } from './transport/memory.ts'
export { NodeStream } from './transport/node-stream.ts'
export { httpConnect, ProxyError, socks5 } from './transport/proxy.ts'
export type { Dial } from './transport/tcp.ts'
export type { TlsOptions } from './transport/tls.ts'
export { WebSocketError } from './transport/websocket-frames.ts'
export type { WebSocketOptions } from './transport/websocket-node.ts'

/** Makes a client that connects in the background; returns at once.
 *  @param servers mqtt://host:1883, or several URLs that are tried in turn;
 *    mqtt:, mqtts:, ws:, wss: and unix: are known, with username and password percent-encoded
 *  @throws TypeError, RangeError for options that cannot be */
export function open(servers: Servers, options: NodeClientOptions = {}): MqttClient {
  return new MqttClient(nodePlatform, servers, options, true)
}

/** Makes a client and waits for its first connection; one attempt, after which it reconnects by itself.
 *  @throws ConnectionRefusedError, ConnectionLostError, TimeoutError, `signal.reason` */
export async function connect(servers: Servers, options: NodeClientOptions = {}): Promise<MqttClient> {
  const client = new MqttClient(nodePlatform, servers, options, false)
  await client.started
  return client
}
