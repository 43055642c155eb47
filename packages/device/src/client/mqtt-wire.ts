import { connect, type MqttClient, type NodeClientOptions } from '@pipit/client'
import type { DevicePublishOptions } from '../link.ts'
import { ReceivedMessage } from '../message.ts'
import type { OpenWire, Traffic, Wire } from '../wire.ts'
import type { DeviceSettings } from './options.ts'

/** More messages than a broker may have sent us unacknowledged: none waits behind the callback of another. */
const CONCURRENCY = 100_000

/** Opens connections as a device's options say. */
export function deviceWire(settings: DeviceSettings): OpenWire {
  return mqttWire(settings.url, clientOptions(settings))
}

/** Opens connections with `MqttClient`, each of which ends for good when it is lost.
 *  @param options what CONNECT says; a `transport` of one's own puts the connection on a test rig's network */
export function mqttWire(url: string, options: NodeClientOptions): OpenWire {
  return async (receiver) => {
    const client = await connect(url, { ...options, reconnect: false })
    const wire = new MqttWire(client)
    client.onMessage(
      ({ topic, payload, qos, retain }) =>
        receiver.received(new ReceivedMessage(topic, payload, qos, retain)),
      { concurrency: CONCURRENCY },
    )
    // The inbox has told of what a callback threw; here it only refuses the message.
    client.onError(() => {})
    void client.closed.then((error) => {
      if (!wire.isClosing) receiver.lost(error ?? new Error('the connection ended'))
    })
    return wire
  }
}

class MqttWire implements Wire {
  isClosing = false
  private readonly client: MqttClient

  constructor(client: MqttClient) {
    this.client = client
  }

  async publish(topic: string, payload: Uint8Array, options: DevicePublishOptions): Promise<void> {
    await this.client.publish(topic, payload, options)
  }

  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    await this.client.subscribe(filter, { qos })
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.client.unsubscribe(filter)
  }

  ping(): Promise<number> {
    return this.client.ping()
  }

  close(force: boolean = false): Promise<void> {
    this.isClosing = true
    return this.client.close({ force })
  }

  traffic(): Traffic {
    const { bytesSent, bytesReceived } = this.client.metrics()
    return { bytesSent, bytesReceived }
  }
}

/** What CONNECT says, and how long it may take. */
function clientOptions(settings: DeviceSettings): NodeClientOptions {
  const { clientId, user, password, keepAlive, will, tls, sessionSeconds = 0 } = settings
  return {
    clientId,
    keepAlive,
    will,
    username: user === '' ? undefined : user,
    password: password === '' ? undefined : password,
    version: settings.version ?? 'auto',
    connectTimeoutMs: settings.connectTimeoutMs ?? 10_000,
    reconnect: false,
    tls: typeof tls === 'object' ? tls : undefined,
    cleanStart: sessionSeconds === 0,
    properties: {
      receiveMaximum: 1024,
      maximumPacketSize: 16_777_216,
      ...(sessionSeconds === 0 ? {} : { sessionExpiryInterval: sessionSeconds }),
    },
  }
}
