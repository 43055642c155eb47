import { type Message, type MqttClient, open, type RequestOptions } from '@pipit/client'
import type { BrokerOptions } from '../worker/connection.ts'
import { Problem } from './problem.ts'

/** The API's own connection to the broker, for requests that are answered; opened with the first of them. */
export class BrokerLink {
  private readonly options: BrokerOptions | undefined
  private client: MqttClient | undefined = undefined

  constructor(options: BrokerOptions | undefined) {
    this.options = options
  }

  /** @throws Problem 501 without a broker, 503 while it cannot be reached; what `request` of the client throws */
  async request(topic: string, payload: Uint8Array, options: RequestOptions): Promise<Message> {
    const client = this.open()
    if (client.state === 'waiting') {
      throw new Problem(503, 'the broker cannot be reached', { retryAfter: 1 })
    }
    return client.request(topic, payload, options)
  }

  async close(): Promise<void> {
    await this.client?.close({ timeoutMs: 1_000 })
  }

  private open(): MqttClient {
    if (this.options === undefined) throw new Problem(501, 'this API was started without a broker')
    const { url, client = {} } = this.options
    if (this.client === undefined || this.client.state === 'closed') {
      this.client = open(url, { ...client, reconnect: { minimumDelayMs: 100, maximumDelayMs: 5_000 } })
    }
    return this.client
  }
}
