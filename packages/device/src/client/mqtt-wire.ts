import {
  type ClientMetrics,
  type ClientOptions,
  connect,
  type MqttClient,
  type TlsOptions,
} from '@pipit/client'
import type { DevicePublishOptions } from '../link.ts'
import { ReceivedMessage } from '../message.ts'
import type { OpenWire, Traffic, Wire } from '../wire.ts'

/** More messages than a broker may have sent us unacknowledged: none waits behind the callback of another. */
const CONCURRENCY = 100_000

/** Opens connections with `MqttClient`, each of which ends for good when it is lost.
 *  @param options what CONNECT says, TLS and limits */
export function mqttWire(url: string, options: ClientOptions & { readonly tls?: TlsOptions }): OpenWire {
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
    const { bytesSent, bytesReceived }: ClientMetrics = this.client.metrics()
    return { bytesSent, bytesReceived }
  }
}
