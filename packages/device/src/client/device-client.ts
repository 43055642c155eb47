import { ConnectionLostError } from '@pipit/client'
import { checkTopicFilter, checkTopicName, matches } from '@pipit/protocol'
import type { DeviceLink, DevicePublishOptions } from '../link.ts'
import type { ReceivedMessage } from '../message.ts'
import { SimulatedBroker } from '../simulation/broker.ts'
import type { OpenWire, Traffic, Wire } from '../wire.ts'
import { Inbox, type MessageCallback } from './inbox.ts'
import { clientLink } from './link.ts'
import { mqttWire } from './mqtt-wire.ts'
import { type DeviceClientOptions, type DeviceSettings, settingsOf } from './options.ts'

const encoder = new TextEncoder()
const LONGEST_TIMER_MS = 2_147_483_647

/** The newest message of a topic that nobody has asked for yet. */
interface News {
  latest: ReceivedMessage | undefined
}

/** The MQTT client of a device: one connection at a time, made when `connect` is called and not by itself, so that
 *  a sleeping device decides when its radio is on. The same calls work against a broker and in simulation. */
export class DeviceClient {
  /** Why the last `connect` gave false, or what ended the last connection. */
  failure: Error | undefined = undefined
  private readonly settings: DeviceSettings
  private readonly inbox: Inbox
  private readonly filters = new Map<string, 0 | 1 | 2>()
  private readonly followed = new Map<string, News>()
  private readonly errorHandlers = new Set<(error: unknown) => void>()
  private readonly connectHandlers = new Set<() => void>()
  private readonly disconnectHandlers = new Set<(error: Error) => void>()
  /** Ends of waiting for a message, should the connection end. */
  private readonly waits = new Set<() => void>()
  private wire: Wire | undefined = undefined
  private connecting: Promise<boolean> | undefined = undefined
  private before: Traffic = { bytesSent: 0, bytesReceived: 0 }
  private simulation: SimulatedBroker | undefined = undefined

  /** @throws TypeError, RangeError for options that cannot be */
  constructor(options: DeviceClientOptions) {
    this.settings = settingsOf(options)
    this.inbox = new Inbox(options.polled ?? false, (error) => this.report(error))
    if (options.simulate === true) this.simulation = options.simulatedBroker ?? new SimulatedBroker()
  }

  get clientId(): string {
    return this.settings.clientId
  }

  get connected(): boolean {
    return this.wire !== undefined
  }

  /** Nothing goes over a network. */
  get simulated(): boolean {
    return this.simulation !== undefined
  }

  /** MQTT's bytes of all connections so far. */
  get traffic(): Traffic {
    const now = this.wire?.traffic()
    return {
      bytesSent: this.before.bytesSent + (now?.bytesSent ?? 0),
      bytesReceived: this.before.bytesReceived + (now?.bytesReceived ?? 0),
    }
  }

  /** QoS 0 messages that nobody took and that gave way to newer ones. */
  get dropped(): number {
    return this.inbox.dropped
  }

  /** Connects, once, and subscribes again to what was subscribed before. true: there is a connection; false: the
   *  broker is away or refuses, `failure` says how. Never rejects. */
  connect(): Promise<boolean> {
    if (this.connected) return Promise.resolve(true)
    this.connecting ??= this.open().finally(() => {
      this.connecting = undefined
    })
    return this.connecting
  }

  /** Sends what was published before and says goodbye. Always resolves.
   *  @param options.force do not wait for what is not acknowledged: reject it */
  async disconnect(options: { readonly force?: boolean } = {}): Promise<void> {
    await this.connecting
    const { wire } = this
    if (wire === undefined) return
    this.wire = undefined
    await wire.close(options.force)
    this.ended(wire)
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
    await this.live().publish(topic, payload, { qos: checkQoS(options.qos), retain: options.retain ?? false })
  }

  /** Subscribes; what comes goes to `onMessage`. Later connections subscribe again. Settles when it is granted.
   *  @throws as `publish` */
  async subscribe(filter: string, options: { readonly qos?: 0 | 1 | 2 } = {}): Promise<void> {
    checkTopicFilter(filter)
    const qos = checkQoS(options.qos)
    const wire = this.live()
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
    const wire = this.live()
    const wait = this.next(topic, waitSeconds)
    try {
      await wire.subscribe(topic, Math.max(1, this.filters.get(topic) ?? 1) as 1 | 2)
      return await wait.message
    } finally {
      wait.end()
      if (!this.filters.has(topic) && this.wire === wire) wire.unsubscribe(topic).catch(() => {})
    }
  }

  /** As `readTopic`, for a device that stays awake: it stays subscribed, waits only the first time, and then gives the
   *  newest message since it was last asked for, if there is one.
   *  @throws as `publish` when there is no connection */
  async follow(topic: string, waitSeconds = 5): Promise<ReceivedMessage | undefined> {
    const wire = this.live()
    let news = this.followed.get(topic)
    if (news === undefined) {
      news = await this.beginToFollow(topic, waitSeconds)
      if (this.wire !== wire) return undefined
    }
    const { latest } = news
    news.latest = undefined
    return latest
  }

  /** Sends PINGREQ and gives the round trip in milliseconds.
   *  @throws ConnectionLostError when there is no connection, or it ends */
  async ping(): Promise<number> {
    return this.live().ping()
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
    if (this.simulation === undefined) {
      throw new Error('simulateMessage works in simulation only; this client was made without simulate: true')
    }
    this.simulation.publish(topic, payload, options)
  }

  private live(): Wire {
    if (this.wire === undefined) throw new ConnectionLostError('there is no connection; connect() makes one')
    return this.wire
  }

  private async open(): Promise<boolean> {
    try {
      const wire = await this.openWire()
      this.wire = wire
      for (const [filter, qos] of this.filters) await wire.subscribe(filter, qos)
      if (this.wire !== wire) return false
      this.failure = undefined
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error))
      await this.giveUp()
      return false
    }
    for (const handler of this.connectHandlers) handler()
    return true
  }

  private async openWire(): Promise<Wire> {
    let wire: Wire | undefined
    let early: Error | undefined
    const receiver = {
      received: (message: ReceivedMessage) => this.inbox.receive(message, this.wants(message)),
      lost: (error: Error) => {
        if (wire === undefined) early = error
        else this.lost(wire, error)
      },
    }
    wire = await this.opener()(receiver).catch((error: unknown) => {
      if (this.settings.simulate !== 'if-no-broker' || this.simulated || !nobodyListens(error)) throw error
      const { print = console.log, url } = this.settings
      print(`no broker at ${url}: messages are printed instead of sent`)
      this.simulation = this.settings.simulatedBroker ?? new SimulatedBroker()
      return this.opener()(receiver)
    })
    if (early !== undefined) throw early
    return wire
  }

  private opener(): OpenWire {
    const { settings, simulation } = this
    if (simulation !== undefined) return simulation.wire(settings.clientId, (message) => this.print(message))
    return settings.wire ?? mqttWire(settings.url, clientOptions(settings))
  }

  private report(error: unknown): void {
    for (const handler of this.errorHandlers) handler(error)
    if (this.errorHandlers.size === 0) console.error(`${this.clientId}: a message callback failed:`, error)
  }

  private async giveUp(): Promise<void> {
    const { wire } = this
    this.wire = undefined
    if (wire === undefined) return
    await wire.close()
    this.ended(wire)
  }

  private lost(wire: Wire, error: Error): void {
    if (this.wire !== wire) return
    this.wire = undefined
    this.failure = error
    this.ended(wire)
    for (const handler of this.disconnectHandlers) handler(error)
  }

  /** The bytes of a connection that has ended join those before it; nobody waits for its messages any longer. */
  private ended(wire: Wire): void {
    for (const giveUp of this.waits) giveUp()
    const { bytesSent, bytesReceived } = wire.traffic()
    const { before } = this
    this.before = {
      bytesSent: before.bytesSent + bytesSent,
      bytesReceived: before.bytesReceived + bytesReceived,
    }
    // The broker of a session that goes on sends again what was not acknowledged.
    if ((this.settings.sessionSeconds ?? 0) > 0) this.inbox.dropUnacknowledged()
  }

  private wants(message: ReceivedMessage): boolean {
    for (const filter of this.filters.keys()) if (matches(filter, message.topic)) return true
    return false
  }

  private next(filter: string, waitSeconds: number) {
    let end = (): void => {}
    const message = new Promise<ReceivedMessage | undefined>((resolve) => {
      const unread = this.inbox.next(filter, resolve)
      // A timer that comes late has what arrived meanwhile still unread: one more turn for that.
      const { clock } = this.settings
      let stopTimer = clock.after(Math.min(waitSeconds * 1000, LONGEST_TIMER_MS), () => {
        stopTimer = clock.after(0, () => resolve(undefined))
      })
      const giveUp = (): void => resolve(undefined)
      this.waits.add(giveUp)
      end = () => {
        unread()
        stopTimer()
        this.waits.delete(giveUp)
      }
    })
    return { message, end: () => end() }
  }

  private async beginToFollow(topic: string, waitSeconds: number): Promise<News> {
    const news: News = { latest: undefined }
    const stop = this.inbox.each(topic, (message) => {
      news.latest = message
    })
    const first = this.next(topic, waitSeconds)
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

  private print({ topic, payload, qos, retain }: ReceivedMessage): void {
    const { print = console.log, clientId } = this.settings
    const marks = [qos === 0 ? '' : ` (QoS ${qos})`, retain ? ' (retained)' : ''].join('')
    print(`${clientId}: ${topic} ${shown(payload)}${marks}`)
  }
}

/** What CONNECT says, and how long it may take. */
function clientOptions(settings: DeviceSettings) {
  const { clientId, user, password, keepAlive, will, tls, sessionSeconds = 0 } = settings
  return {
    clientId,
    keepAlive,
    will,
    username: user === '' ? undefined : user,
    password: password === '' ? undefined : password,
    version: settings.version ?? 'auto',
    connectTimeoutMs: settings.connectTimeoutMs ?? 10_000,
    tls: typeof tls === 'object' ? tls : undefined,
    cleanStart: sessionSeconds === 0,
    properties: {
      receiveMaximum: 1024,
      maximumPacketSize: 16_777_216,
      ...(sessionSeconds === 0 ? {} : { sessionExpiryInterval: sessionSeconds }),
    },
  } as const
}

/** The one who should answer is on this machine, and nothing has its port. */
function nobodyListens(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } }
  return error instanceof ConnectionLostError && cause?.code === 'ECONNREFUSED'
}

function checkQoS(qos: number = 0): 0 | 1 | 2 {
  if (qos !== 0 && qos !== 1 && qos !== 2) {
    throw new RangeError(`qos is ${JSON.stringify(qos)}; it takes 0, 1 or 2`)
  }
  return qos
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** A payload for a person: text, or its length where it is none. */
function shown(payload: Uint8Array): string {
  try {
    return decoder.decode(payload)
  } catch {
    return `<${payload.length} bytes>`
  }
}
