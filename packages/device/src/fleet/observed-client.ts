import type { DeviceClient } from '../client/device-client.ts'
import type { CycleClient } from '../cycle/types.ts'
import type { DeviceMessage, DevicePublishOptions } from '../link.ts'
import type { Traffic } from '../wire.ts'
import { sequenceOf } from './naming.ts'

export interface PublishObserver {
  published(sequence: number): void
  acknowledged(sequence: number): void
}

/** A device's client that tells of each reading that it publishes and has acknowledged. */
export class ObservedClient implements CycleClient {
  private readonly client: DeviceClient
  private readonly observer: PublishObserver

  constructor(client: DeviceClient, observer: PublishObserver) {
    this.client = client
    this.observer = observer
  }

  get traffic(): Traffic {
    return this.client.traffic
  }

  get failure(): Error | undefined {
    return this.client.failure
  }

  connect(): Promise<boolean> {
    return this.client.connect()
  }

  async publish(topic: string, message: string, options: DevicePublishOptions): Promise<void> {
    const sequence = sequenceOf(message)
    if (sequence !== undefined) this.observer.published(sequence)
    await this.client.publish(topic, message, options)
    if (sequence !== undefined) this.observer.acknowledged(sequence)
  }

  readTopic(topic: string, waitSeconds: number): Promise<DeviceMessage | undefined> {
    return this.client.readTopic(topic, waitSeconds)
  }

  disconnect(options?: { readonly force?: boolean }): Promise<void> {
    return this.client.disconnect(options)
  }
}
