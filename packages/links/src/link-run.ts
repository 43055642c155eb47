import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileStore, type Message, type MqttClient, MqttError, open } from '@pipit/client'
import { Carrier } from './carrier.ts'
import { carried } from './hops.ts'
import type { LinkMetrics, LinkPlace } from './link-place.ts'
import {
  DOWN,
  type LinkOptions,
  localClientIdOf,
  notificationTopicOf,
  remoteClientIdOf,
  UP,
} from './options.ts'
import { type End, PassageStore } from './passage-store.ts'
import { Dialler, FOR_EVER, isToldThere, remoteOptions, STEADFAST, serversOf, WINDOW } from './remote.ts'
import { type EndFilter, TopicMap } from './topic-map.ts'

/** How often a link that is connected to a stand-in looks for the first address, milliseconds. */
const LOOK_MS = 5_000

/** A link while its stores hold: a client of both brokers. */
export class LinkRun {
  /** Settles when the local broker has answered the first subscription: what is published there from then on is not
   *  missed. */
  readonly ready: Promise<void>
  private readonly options: LinkOptions
  private readonly place: LinkPlace
  private readonly topics: TopicMap
  private readonly life = new AbortController()
  private readonly dialler: Dialler
  private readonly local: MqttClient
  private readonly inward: Carrier
  private remote: MqttClient | undefined = undefined
  private outward: Carrier | undefined = undefined
  /** Of a lazy link: what waits for the remote broker to be called. */
  private held: Message[] = []
  private idle: NodeJS.Timeout | undefined = undefined
  private looking: NodeJS.Timeout | undefined = undefined
  private wasLocalTold = false
  /** For QoS 2, in a link that has a folder. */
  private readonly passages: PassageStore | undefined
  private readonly unable: (error: unknown) => void

  /** Begins at once, and goes on until `close`.
   *  @param unable told once, when one of the ends takes nothing any more: its store has failed
   *  @throws Error naming a file that cannot be read */
  constructor(options: LinkOptions, place: LinkPlace, unable: (error: unknown) => void) {
    this.options = options
    this.place = place
    this.topics = new TopicMap(options.topics)
    this.dialler = new Dialler(options.bindAddress)
    this.passages = this.passageStore()
    let wasUnable = false
    this.unable = (error) => {
      if (wasUnable || this.life.signal.aborted) return
      wasUnable = true
      if (isStoreFailure(error)) unable(error)
      else this.log('warn', `nothing more is carried, messages stay with their sender: ${textOf(error)}`)
    }
    this.local = this.openLocal()
    this.inward = this.carrierTo(this.local, 'remote')
    this.ready = this.listenHere()
    if (options.start !== 'lazy') this.openRemote()
  }

  metrics(): LinkMetrics {
    const { inward, outward, remote, held } = this
    return {
      name: this.options.name,
      connected: remote?.state === 'connected',
      out: outward?.carried ?? 0,
      in: inward.carried,
      dropped: inward.dropped + (outward?.dropped ?? 0),
      pending: inward.pending + (outward?.pending ?? 0) + held.length,
    }
  }

  /** Says goodbye at both ends. What is under way and not acknowledged comes again when the link does. */
  async close(): Promise<void> {
    if (this.life.signal.aborted) return
    this.life.abort(new Error('the link was closed'))
    clearTimeout(this.idle)
    clearInterval(this.looking)
    await this.closeRemote()
    await this.local.close({ timeoutMs: 1_000 })
    await this.passages?.close().catch(() => undefined)
  }

  // ---- here

  private openLocal(): MqttClient {
    const { localUsername: username, localPassword: password, cleanSession = false } = this.options
    const cleanStart = this.options.localCleanSession ?? cleanSession
    const { local } = this.place
    return open(typeof local === 'string' ? local : 'mqtt://local', {
      ...STEADFAST,
      clientId: localClientIdOf(this.options),
      version: '5.0',
      cleanStart,
      properties: { sessionExpiryInterval: cleanStart ? 0 : FOR_EVER, receiveMaximum: WINDOW },
      reconnect: { delayMs: () => 1_000, retryOn: () => true },
      ...(typeof local !== 'string' && { transport: local }),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(this.passages !== undefined && { store: this.passages.at('local') }),
    })
  }

  private listenHere(): Promise<void> {
    const { local, options } = this
    local.onMessage((message) => this.carryOut(message), { acknowledge: 'manual' })
    local.onConnect(({ sessionPresent }) => !sessionPresent && this.passages?.forgets('local'))
    this.watch(local)
    const subscribed = this.subscribeHere()
    if (options.notifications !== false) this.tell(local, DOWN)
    return subscribed
  }

  /** With what is retained: it may be new there. */
  private subscribeHere(): Promise<void> {
    return this.subscribe(this.local, this.topics.local, 'local')
  }

  private carryOut(message: Message): void {
    const topic = this.topics.outgoing(message.topic)
    const properties = carried(message.properties, remoteClientIdOf(this.options))
    // A subscription of an earlier configuration, or a message that has come around.
    if (topic === undefined || properties === undefined || this.isTooLarge(message)) {
      return message.acknowledge()
    }
    if (this.outward === undefined) return this.hold(message)
    this.touch()
    const retain = message.retain && this.options.outgoingRetain !== false
    this.outward.carry({ message, topic, retain, properties })
  }

  private isTooLarge({ topic, payload }: Message): boolean {
    const { maximumPacketSize } = this.options
    if (maximumPacketSize === undefined || payload.length + topic.length + 9 <= maximumPacketSize)
      return false
    this.log('warn', `a message of ${payload.length} bytes to ${JSON.stringify(topic)} is too large to carry`)
    return true
  }

  // ---- there

  private openRemote(): void {
    const { options, dialler } = this
    const remote = open(serversOf(options), remoteOptions(options, this.passages?.at('remote'), dialler.dial))
    this.remote = remote
    this.outward = this.carrierTo(remote, 'local')
    remote.onMessage((message) => this.carryIn(message), { acknowledge: 'manual' })
    this.watch(remote)
    remote.onConnect(({ sessionPresent }) => this.connected(remote, sessionPresent))
    remote.onDisconnect((error) => this.disconnected(error))
    void this.logFailures(remote)
    void this.subscribe(remote, this.topics.remote, 'remote')
    void this.unsubscribe(remote)
    for (const message of this.held.splice(0)) this.carryOut(message)
    this.touch()
  }

  private carryIn(message: Message): void {
    const topic = this.topics.incoming(message.topic)
    const properties = carried(message.properties, remoteClientIdOf(this.options))
    if (topic === undefined || properties === undefined) return message.acknowledge()
    this.touch()
    this.inward.carry({ message, topic, retain: message.retain, properties })
  }

  private connected(remote: MqttClient, sessionPresent: boolean): void {
    this.log('info', `connected to ${this.dialler.address}`)
    if (!sessionPresent) this.passages?.forgets('remote')
    if (isToldThere(this.options)) this.tell(remote, UP, this.options.outgoingRetain !== false)
    if (this.options.notifications !== false) this.tell(this.local, UP)
    // What is retained here may be new to a broker that has forgotten us; the first time, it has just been sent.
    if (!sessionPresent && this.wasLocalTold) void this.subscribeHere()
    this.wasLocalTold = true
    this.lookForFirst()
  }

  private disconnected(error: Error): void {
    this.log('warn', `the connection to ${this.dialler.address} is lost: ${error.message}`)
    clearInterval(this.looking)
    if (this.options.notifications !== false) this.tell(this.local, DOWN)
  }

  /** Connected to a stand-in, looks for the first address, and goes back to it. */
  private lookForFirst(): void {
    const { options, dialler } = this
    clearInterval(this.looking)
    const [first = ''] = options.addresses
    if (options.roundRobin === true || options.addresses.length === 1) return
    const { hostname, port } = new URL(`mqtt://${first}`)
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    const number = Number(port || (options.tls === undefined ? 1883 : 8883))
    if (dialler.address === `${hostname}:${number}`) return
    this.looking = setInterval(() => {
      void dialler.reaches(host, number, this.life.signal).then((isThere) => {
        if (isThere && this.remote?.state === 'connected') dialler.hangUp()
      })
    }, LOOK_MS)
  }

  private async closeRemote(): Promise<void> {
    const { remote } = this
    if (remote === undefined) return
    this.remote = undefined
    this.outward = undefined
    if (isToldThere(this.options) && remote.state === 'connected') {
      this.tell(remote, DOWN, this.options.outgoingRetain !== false)
    }
    await remote.close({ timeoutMs: 1_000 })
  }

  // ---- lazy

  private hold(message: Message): void {
    this.held.push(message)
    const { start, threshold = 10 } = this.options
    if (start === 'lazy' && !this.life.signal.aborted && this.held.length >= threshold) this.openRemote()
  }

  /** Something was carried: a lazy link's time runs anew. */
  private touch(): void {
    if (this.options.start !== 'lazy' || this.life.signal.aborted) return
    clearTimeout(this.idle)
    this.idle = setTimeout(() => this.rest(), (this.options.idleTimeout ?? 60) * 1000)
  }

  private rest(): void {
    if ((this.outward?.pending ?? 0) + this.inward.pending > 0) return this.touch()
    this.log('info', 'idle: the connection is closed until there is something to carry')
    void this.closeRemote()
  }

  // ---- both

  private async subscribe(client: MqttClient, filters: readonly EndFilter[], end: string): Promise<void> {
    if (filters.length === 0) return
    const wanted = filters.map((each) => ({ ...each, noLocal: true, retainAsPublished: true }))
    try {
      const { granted } = await client.subscribe(wanted)
      for (const [filter, code] of granted) {
        if (code >= 0x80) this.log('warn', `the ${end} broker refuses ${JSON.stringify(filter)}`)
      }
    } catch (error) {
      if (!this.life.signal.aborted) this.log('warn', `the ${end} broker: ${textOf(error)}`)
    }
  }

  private async unsubscribe(remote: MqttClient): Promise<void> {
    const { unsubscribes = true, cleanSession = false } = this.options
    const { outOnly } = this.topics
    // A broker answers 0x11 where there was no subscription: nothing is wrong then.
    if (unsubscribes && !cleanSession && outOnly.length > 0) await remote.unsubscribe(outOnly).catch(() => {})
  }

  private tell(client: MqttClient, state: string, retain = true): void {
    const topic = notificationTopicOf(this.options)
    client.publish(topic, state, { qos: 1, retain }).catch((error: unknown) => {
      if (!this.life.signal.aborted) this.log('warn', `the state is not told: ${textOf(error)}`)
    })
  }

  private async logFailures(remote: MqttClient): Promise<void> {
    for await (const { state, error, failures, retryInMs = 0 } of remote.status()) {
      if (state === 'waiting' && failures === 1) {
        this.log('warn', `${textOf(error)}; the next attempt comes in ${Math.ceil(retryInMs / 1000)} s`)
      } else if (state === 'closed' && error !== undefined) this.log('warn', textOf(error))
    }
  }

  private carrierTo(client: MqttClient, from: End): Carrier {
    const { passages } = this
    return new Carrier(client, {
      log: (line) => this.log('warn', line),
      unable: (error) => this.unable(error),
      ended: this.life.signal,
      ...(passages !== undefined && { passage: { store: passages, from } }),
    })
  }

  /** Sees whether an end goes on. */
  private watch(client: MqttClient): void {
    const look = (error: unknown): void => {
      if (isStoreFailure(error)) this.unable(error)
    }
    client.onError((error) => {
      this.log('warn', textOf(error))
      look(error)
    })
    void client.closed.then(look)
  }

  /** What is in flight at QoS 2 is kept where both sessions last.
   *  @throws Error when there can be no such folder */
  private passageStore(): PassageStore | undefined {
    const { folder } = this.place
    const { topics, cleanSession = false, localCleanSession = cleanSession } = this.options
    const isOnce = topics.some(({ qos }) => qos === 2) && !cleanSession && !localCleanSession
    if (folder === undefined || !isOnce) return undefined
    mkdirSync(folder, { recursive: true })
    return new PassageStore(fileStore(join(folder, encodeURIComponent(remoteClientIdOf(this.options)))))
  }

  private log(level: 'info' | 'warn', message: string): void {
    this.place.log?.(level, `link ${this.options.name}: ${message}`)
  }
}

function isStoreFailure(error: unknown): boolean {
  return error instanceof MqttError && error.code === 'STORE_FAILED'
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
