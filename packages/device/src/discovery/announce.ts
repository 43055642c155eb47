import { type DeviceLink, type DeviceMessage, deviceTopics } from '../link.ts'
import {
  type DeviceDescription,
  type DiscoveryForm,
  type DiscoveryFormOptions,
  discoveryMessages,
} from './describe.ts'
import { DISCOVERY_PREFIX } from './topics.ts'

export interface AnnounceOptions extends DiscoveryFormOptions {
  /** It was announced in this form before: the entities are handed over, with their history and settings. */
  readonly migrateFrom?: DiscoveryForm
  /** Home Assistant has started: what is not retained should be said again. */
  readonly onBirth?: () => void
  /** Told of a publish that failed. */
  readonly onFault?: (error: Error) => void
}

export interface Announced {
  /** Settles when the subscription to Home Assistant's status ends; rejects with what ended it. */
  readonly done: Promise<void>
  /** Takes the device out of Home Assistant: an empty retained message on each of its topics. */
  remove(): Promise<void>
  /** Announces no more; Home Assistant keeps the device. To be called before the device says `offline`. */
  stop(): void
}

/** Announces a device to Home Assistant, and says `online` on its status topic: retained, again when Home Assistant says `online` on
 *  `homeassistant/status`, and again when the connection came back. Entities are there while the device's status
 *  topic says `online`, so the connection should have been made with `statusWill(prefix)` as its will. Connect with
 *  MQTT 5.0, the client's default: Home Assistant leaves 3.x in 2027.1.
 *  @returns once the broker has the announcement
 *  @throws RangeError for a description that cannot be announced; what `client.subscribe` throws */
export async function announce(
  client: DeviceLink,
  description: DeviceDescription,
  options: AnnounceOptions = {},
): Promise<Announced> {
  const announcer = new Announcer(client, description, options)
  await announcer.start()
  return announcer
}

class Announcer implements Announced {
  done: Promise<void> = Promise.resolve()
  private readonly client: DeviceLink
  private readonly options: AnnounceOptions
  private readonly status: string
  private readonly messages: ReturnType<typeof discoveryMessages>
  /** Topics of the form that it had before. */
  private readonly former: readonly string[]
  private stopReconnectWatch: (() => void) | undefined = undefined
  private stopped = false

  constructor(client: DeviceLink, description: DeviceDescription, options: AnnounceOptions) {
    const { form = 'device', migrateFrom = form } = options
    this.client = client
    this.options = options
    this.status = deviceTopics(description.prefix).status
    this.messages = discoveryMessages(description, options)
    const former =
      migrateFrom === form ? [] : discoveryMessages(description, { ...options, form: migrateFrom })
    this.former = former.map(({ topic }) => topic)
  }

  async start(): Promise<void> {
    const { discoveryPrefix = DISCOVERY_PREFIX } = this.options
    const births = await this.client.subscribe(`${discoveryPrefix}/status`, { qos: 1 })
    await this.migrate()
    this.done = this.follow(births)
    // `done` may have no reader: its rejection is then nobody's.
    this.done.catch(() => undefined)
    this.stopReconnectWatch = this.client.onConnect(() => void this.arrive())
  }

  async remove(): Promise<void> {
    this.stop()
    for (const { topic } of this.messages) await this.say(topic, '')
  }

  stop(): void {
    this.stopped = true
    this.stopReconnectWatch?.()
  }

  /** Lets go of the entities in the form they had, announces them in the new one, and clears the old topics. */
  private async migrate(): Promise<void> {
    for (const topic of this.former) await this.say(topic, '{"migrate_discovery":true}')
    await this.arrive()
    for (const topic of this.former) await this.say(topic, '')
  }

  private async follow(births: AsyncIterable<DeviceMessage>): Promise<void> {
    try {
      for await (const { payload } of births) {
        if (this.stopped) return
        if (new TextDecoder().decode(payload) !== 'online') continue
        await this.publish()
        this.options.onBirth?.()
      }
    } finally {
      this.stop()
    }
  }

  /** Announces the device and says that it is there. */
  private async arrive(): Promise<void> {
    await this.publish()
    // A light says so too; a device without one has nobody else who does. Whoever stops says offline.
    if (!this.stopped) await this.say(this.status, 'online')
  }

  private async publish(): Promise<void> {
    for (const { topic, payload } of this.messages) {
      if (!this.stopped) await this.say(topic, payload)
    }
  }

  private async say(topic: string, payload: string): Promise<void> {
    try {
      await this.client.publish(topic, payload, { qos: 1, retain: true })
    } catch (error) {
      if (!this.stopped) this.options.onFault?.(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
