import { checkTopicFilter, checkTopicName, matches } from '@pipit/protocol'
import type { DeviceLink, DevicePublishOptions } from '../link.ts'
import type { ReceivedMessage } from '../message.ts'
import type { Traffic } from '../wire.ts'
import { Connection } from './connection.ts'
import { Inbox, type MessageCallback } from './inbox.ts'
import { clientLink } from './link.ts'
import { type DeviceClientOptions, type DeviceSettings, settingsOf } from './options.ts'

const encoder = new TextEncoder()

/** The newest message of a topic that nobody has asked for yet. */
interface News {
  latest: ReceivedMessage | undefined
}

/** The MQTT client of a device: one connection at a time, made when `connect` is called and not by itself, so that
 *  a sleeping device decides when its radio is on. The same calls work against a broker and in simulation. */
export class DeviceClient {
  private readonly settings: DeviceSettings
  private readonly inbox: Inbox
  private readonly connection: Connection
  private readonly filters = new Map<string, 0 | 1 | 2>()
  /** Subscribed by `readTopic` alone. */
  private readonly borrowed = new Set<string>()
  private readonly followed = new Map<string, News>()
  private readonly errorHandlers = new Set<(error: unknown) => void>()
  private readonly connectHandlers = new Set<() => void>()
  private readonly disconnectHandlers = new Set<(error: Error) => void>()

  /** @throws TypeError, RangeError for options that cannot be */
  constructor(options: DeviceClientOptions) {
    this.settings = settingsOf(options)
    this.inbox = new Inbox(options.polled ?? false, (error) => this.report(error))
    this.connection = new Connection(this.settings, {
      received: (message) => this.inbox.receive(message, this.wants(message)),
      ended: (error) => this.ended(error),
    })
  }

  get clientId(): string {
    return this.settings.clientId
  }

  get connected(): boolean {
    return this.connection.isOpen
  }

  /** Why the last `connect` gave false, or what ended the last connection. */
  get failure(): Error | undefined {
    return this.connection.failure
  }

  /** Nothing goes over a network. */
  get simulated(): boolean {
    return this.connection.isSimulated
  }

  /** MQTT's bytes of all connections so far. */
  get traffic(): Traffic {
    return this.connection.traffic
  }

  /** QoS 0 messages that nobody took and that gave way to newer ones. */
  get dropped(): number {
    return this.inbox.dropped
  }

  /** Connects, once, and subscribes again to what was subscribed before. true: there is a connection; false: the
   *  broker is away or refuses, `failure` says how. Never rejects. */
  async connect(): Promise<boolean> {
    let fresh = false
    const connected = await this.connection.open(async (wire) => {
      fresh = true
      for (const [filter, qos] of this.filters) await wire.subscribe(filter, qos)
    })
    if (connected && fresh) for (const handler of this.connectHandlers) handler()
    return connected
  }

  /** Sends what was published before and says goodbye. Always resolves.
   *  @param options.force do not wait for what is not acknowledged: reject it */
  disconnect(options: { readonly force?: boolean } = {}): Promise<void> {
    return this.connection.close(options.force ?? false)
  }

  /** Publishes one message. Settles on the acknowledgement that its QoS asks for; QoS 0 when it is handed to the
   *  transport.
   *  @param message text is sent as UTF-8
   *  @throws ConnectionLostError when there is no connection; SessionEndedError when it ends before the
   *    acknowledgement; RequestRefusedError; TypeError, RangeError for what cannot be published */
  async publish(
    topic: string,
    message: string | Uint8Array,
    options: DevicePublishOptions = {},
  ): Promise<void> {
    checkTopicName(topic)
    const payload = typeof message === 'string' ? encoder.encode(message) : message
    if (!(payload instanceof Uint8Array)) {
      throw new TypeError(`message takes a string or a Uint8Array, not ${typeof message}`)
    }
    await this.connection
      .live()
      .publish(topic, payload, { qos: checkQoS(options.qos), retain: options.retain ?? false })
  }

  /** Subscribes; what comes goes to `onMessage`. Later connections subscribe again. Settles when it is granted.
   *  @throws as `publish` */
  async subscribe(filter: string, options: { readonly qos?: 0 | 1 | 2 } = {}): Promise<void> {
    checkTopicFilter(filter)
    const qos = checkQoS(options.qos)
    const wire = this.connection.live()
    const before = this.filters.get(filter)
    this.filters.set(filter, qos)
    try {
      await wire.subscribe(filter, qos)
    } catch (error) {
      if (before === undefined) this.filters.delete(filter)
      throw error
    }
  }

  /** The next message of a topic, the retained one if there is one; undefined when none has come after the wait,
   *  or the connection has ended.
   *  @param topic wildcards match as they do in a subscription
   *  @throws as `publish` when there is no connection */
  async readTopic(topic: string, waitSeconds = 5): Promise<ReceivedMessage | undefined> {
    checkTopicFilter(topic)
    if (!(waitSeconds >= 0)) throw new RangeError(`waitSeconds is ${waitSeconds}; it takes 0 or more`)
    const wire = this.connection.live()
    this.borrowed.add(topic)
    const wait = this.inbox.next(topic, waitSeconds * 1000, this.settings.clock)
    try {
      await wire.subscribe(topic, Math.max(1, this.filters.get(topic) ?? 1) as 1 | 2)
      return await wait.message
    } finally {
      wait.end()
      const needed = this.filters.has(topic) || this.inbox.isAwaited(topic)
      if (!needed && this.connected) wire.unsubscribe(topic).catch(() => {})
    }
  }

  /** As `readTopic`, for a device that stays awake: it stays subscribed, waits only the first time, and then gives the
   *  newest message since it was last asked for, if there is one.
   *  @throws as `publish` when there is no connection */
  async follow(topic: string, waitSeconds = 5): Promise<ReceivedMessage | undefined> {
    this.connection.live()
    const news = this.followed.get(topic) ?? (await this.beginToFollow(topic, waitSeconds))
    const { latest } = news
    news.latest = undefined
    return latest
  }

  /** Sends PINGREQ and gives the round trip in milliseconds.
   *  @throws ConnectionLostError when there is no connection, or it ends */
  async ping(): Promise<number> {
    return this.connection.live().ping()
  }

  /** Has every message that comes handed to `callback`, one after the other; those that came before wait for it.
   *  The last callback counts. A callback may be async: the next message waits for it, and so does the
   *  acknowledgement. @returns a function that takes it back */
  onMessage(callback: MessageCallback): () => void {
    return this.inbox.onMessage(callback)
  }

  /** Hands what has arrived to the callback, at once and without waiting for anything: for code with a loop of its
   *  own, with the option `polled`. Without that option nothing is left to hand over.
   *  @returns how many messages there were */
  checkMessages(): number {
    return this.inbox.deliverAll()
  }

  /** Calls back each time a connection stands. @returns a function that ends that */
  onConnect(handler: () => void): () => void {
    this.connectHandlers.add(handler)
    return () => this.connectHandlers.delete(handler)
  }

  /** Calls back with the error each time a connection is lost. @returns a function that ends that */
  onDisconnect(handler: (error: Error) => void): () => void {
    this.disconnectHandlers.add(handler)
    return () => this.disconnectHandlers.delete(handler)
  }

  /** Calls back with what a message callback threw; without a handler it is printed as an error. The device goes on
   *  either way. @returns a function that ends that */
  onError(handler: (error: unknown) => void): () => void {
    this.errorHandlers.add(handler)
    return () => this.errorHandlers.delete(handler)
  }

  /** The same client as what a light or a sensor runs over: `runLight(client.link)`. */
  get link(): DeviceLink {
    return clientLink(this, this.inbox)
  }

  /** In simulation: publishes as somebody else would, so that the device gets it if it has subscribed.
   *  @throws Error when the device is not simulated */
  simulateMessage(topic: string, payload: string | Uint8Array, options: DevicePublishOptions = {}): void {
    this.connection.simulateMessage(topic, payload, options)
  }

  private report(error: unknown): void {
    for (const handler of this.errorHandlers) handler(error)
    if (this.errorHandlers.size === 0) console.error(`${this.clientId}: a message callback failed:`, error)
  }

  private ended(error?: Error): void {
    this.inbox.giveUpWaiting()
    this.borrowed.clear()
    // The broker of a session that goes on sends again what was not acknowledged.
    if ((this.settings.sessionSeconds ?? 0) > 0) this.inbox.dropUnacknowledged()
    if (error !== undefined) for (const handler of this.disconnectHandlers) handler(error)
  }

  /** Says whether a message is for the callback: not if only a `readTopic` asked for it. What the session of an
   *  earlier process had subscribed is. */
  private wants({ topic }: ReceivedMessage): boolean {
    for (const filter of this.filters.keys()) if (matches(filter, topic)) return true
    for (const filter of this.borrowed) if (matches(filter, topic)) return false
    return true
  }

  private async beginToFollow(topic: string, waitSeconds: number): Promise<News> {
    const news: News = { latest: undefined }
    const stop = this.inbox.each(topic, (message) => {
      news.latest = message
    })
    const first = this.inbox.next(topic, waitSeconds * 1000, this.settings.clock)
    try {
      await this.subscribe(topic, { qos: 1 })
      this.followed.set(topic, news)
      await first.message
    } catch (error) {
      stop()
      throw error
    } finally {
      first.end()
    }
    return news
  }
}

function checkQoS(qos: number = 0): 0 | 1 | 2 {
  if (qos !== 0 && qos !== 1 && qos !== 2) {
    throw new RangeError(`qos is ${JSON.stringify(qos)}; it takes 0, 1 or 2`)
  }
  return qos
}
