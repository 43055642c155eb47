// Longer than most files: it is the public face, a third of it docstrings, and the one loop of its connections,
// whose every step reads what `close` and `signal` have changed meanwhile.

import {
  type ConnackProperties,
  type DisconnectProperties,
  MqttError,
  type PublishProperties,
  type QoS,
  type ReasonCode,
} from '@pipit/protocol'
import { fullJitter, isHopeless } from './backoff.ts'
import { Connector } from './connector.ts'
import { ConnectionLostError, NotSupportedError, SessionEndedError } from './errors.ts'
import { farewell } from './farewell.ts'
import { type HandlerOptions, HandlerSink, type MessageHandler } from './handler-sink.ts'
import { keepAliveLoop } from './keep-alive-loop.ts'
import type { Link } from './link.ts'
import { Listeners } from './listeners.ts'
import type { Message } from './message.ts'
import type { Messages } from './messages.ts'
import type { ClientMetrics } from './metrics.ts'
import { onAbort } from './on-abort.ts'
import { bytesOf, type ClientOptions, type Servers, type Settings, settingsOf } from './options.ts'
import { need, type Parts } from './parts.ts'
import { type Platform, sleep } from './platform.ts'
import { Publication, PublicationCheck, type PublishResult } from './publication.ts'
import type { RequestOptions, RequestResponse, Responder, RespondOptions } from './request-response.ts'
import { Session } from './session.ts'
import { type ClientState, type Status, StatusFeed } from './status.ts'
import type { SubscribeOptions, SubscriptionRequest, UnsubscribeOptions } from './subscribe-requests.ts'
import type { UnsubscribeResult } from './subscriber.ts'
import type { Telemetry } from './telemetry.ts'
import { type WaitOptions, watch } from './watch.ts'

export interface PublishOptions extends WaitOptions {
  /** Default 0. */
  readonly qos?: QoS
  /** Keep it as the topic's retained message; an empty payload takes that away. */
  readonly retain?: boolean
  /** Sent in MQTT 5.0; the Topic Alias is the client's own business. */
  readonly properties?: PublishProperties
}

export interface CloseOptions {
  /** Do not wait for what is queued or in flight: reject it. */
  readonly force?: boolean
  /** How long to wait for it; default 10000. */
  readonly timeoutMs?: number
  /** Default 0x00; 0x04 has the server publish the will (MQTT 5.0). */
  readonly reasonCode?: ReasonCode
  readonly properties?: DisconnectProperties
}

/** One connection, as it begins. */
export interface Connected {
  /** The server kept the session. */
  readonly sessionPresent: boolean
  readonly version: '3.1' | '3.1.1' | '5.0'
  /** What the server announced; empty before MQTT 5.0. */
  readonly properties: ConnackProperties
}

/** The connection has failed several times in a row. */
export interface Alert {
  readonly failures: number
  readonly error: Error
}

const NO_OPTIONS: PublishOptions = {}
/** How long a closing connection may take to say goodbye. */
const GOODBYE_MS = 2000
/** A connection that lasted this long ends a row of failures. */
const STABLE_MS = 10_000

/** An MQTT client: one session over as many connections as it takes.
 *  @see MQTT 5.0, 3 and 4 */
export class MqttClient {
  /** Resolves when the client has ended for good: with the error that ended it, or undefined after `close`. */
  readonly closed: Promise<Error | undefined>
  /** @internal Settles with the first connection, or with what stood in its way. */
  readonly started: Promise<void>

  private readonly settings: Settings
  private readonly platform: Platform
  private readonly connector: Connector
  private readonly session: Session
  private readonly parts: Parts
  private exchanges: RequestResponse | undefined = undefined
  private readonly telemetry: Telemetry | undefined
  private readonly publications = new PublicationCheck()
  private readonly feed = new StatusFeed()
  private readonly connectListeners = new Listeners<Connected>((error) => this.report(error))
  private readonly disconnectListeners = new Listeners<Error>((error) => this.report(error))
  private readonly alertListeners = new Listeners<Alert>((error) => this.report(error))
  private readonly errorListeners = new Listeners<unknown>(rethrow)
  private readonly life = new AbortController()
  private failures = 0
  private connectedOnce = false
  private closing: Promise<void> | undefined = undefined
  /** DISCONNECT has been sent: the end of the connection is ours. */
  private leaving = false
  private start!: { resolve: () => void; reject: (error: unknown) => void }

  /** @internal Use `connect` or `open`. @param keepTrying try again if even the first attempt fails */
  constructor(platform: Platform, servers: Servers, options: ClientOptions, keepTrying: boolean) {
    const { telemetry } = options
    this.parts = Object.assign({}, platform.parts, ...(options.parts ?? []))
    this.platform = this.parts.timers === undefined ? platform : { ...platform, ...this.parts.timers() }
    platform = this.platform
    this.settings = settingsOf(servers, options, this.parts)
    this.telemetry = telemetry && this.parts.telemetry?.(telemetry)
    const report = (error: unknown): void => this.report(error)
    this.session = new Session(this.settings, platform, report, this.telemetry, this.parts)
    const { transport } = options
    const transportFor = (url: URL) => transport ?? platform.transportFor(url, options)
    // A scheme that is not known is wrong use: it is said at the call.
    for (const url of this.settings.urls) transportFor(url)
    const { counters, authentication } = this.session
    this.connector = new Connector(this.settings, platform, transportFor, counters, authentication)
    this.started = new Promise((resolve, reject) => {
      this.start = { resolve, reject }
    })
    this.started.catch(() => {})
    const { signal } = options
    const stop = onAbort(signal, () => this.life.abort(signal?.reason))
    this.closed = this.run(keepTrying).finally(stop)
  }

  /** What the server knows us by. Empty only before a server that is to choose it has. */
  get clientId(): string {
    return this.connector.clientId
  }

  get state(): ClientState {
    return this.feed.current.state
  }

  /** The present state, then each change, for `for await`; ends after `closed`. */
  status(): AsyncIterableIterator<Status, undefined> {
    return this.feed.follow()
  }

  /** What the client has done so far: a copy. */
  metrics(): ClientMetrics {
    return need(this.parts, 'metrics')(this.session, this.platform.now())
  }

  /** Publishes one message. Settles on PUBACK (QoS 1) or PUBCOMP (QoS 2); QoS 0 when handed to the transport.
   *  While there is no connection it waits in the queue; in flight it stays pending while its session lives.
   *  @param topic a Topic Name: no wildcards
   *  @param payload text is sent as UTF-8
   *  @throws RequestRefusedError for a reason code of 0x80 and above; MessageExpiredError, PacketTooLargeError,
   *    QueueFullError, PoisonMessageError, SessionEndedError, StoreError, TimeoutError, `signal.reason`
   *  @see MQTT 5.0, 3.3 */
  publish(
    topic: string,
    payload: string | Uint8Array,
    options: PublishOptions = NO_OPTIONS,
  ): Promise<PublishResult> {
    try {
      if (this.isEnding) throw this.endedError()
      const bytes = bytesOf(payload, 'payload')
      if (this.telemetry !== undefined) {
        return this.telemetry.publish(topic, options, (traced) => this.publishBytes(topic, bytes, traced))
      }
      return this.publishBytes(topic, bytes, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Subscribes, and gives the messages. Settles on SUBACK.
   *  @param filters one Topic Filter or several; `messages.granted` has the server's answer to each
   *  @throws RequestRefusedError when every filter was refused
   *  @see MQTT 5.0, 3.8 */
  async subscribe(
    filters: string | readonly SubscriptionRequest[],
    options: SubscribeOptions = {},
  ): Promise<Messages> {
    if (this.isEnding) throw this.endedError()
    return this.session.subscriber.subscribe(filters, options)
  }

  /** Unsubscribes, and ends the iterators that have no filter left. Settles on UNSUBACK.
   *  @throws RequestRefusedError when every filter was refused
   *  @see MQTT 5.0, 3.10 */
  async unsubscribe(
    filters: string | readonly string[],
    options: UnsubscribeOptions = {},
  ): Promise<UnsubscribeResult> {
    if (this.isEnding) throw this.endedError()
    return this.session.subscriber.unsubscribe(typeof filters === 'string' ? [filters] : filters, options)
  }

  /** Publishes a request and gives its response.
   *  @throws as `publish`; TimeoutError when no response comes within `timeoutMs`; NotSupportedError before MQTT 5.0
   *  @see MQTT 5.0, 4.10 */
  async request(topic: string, payload: string | Uint8Array, options: RequestOptions = {}): Promise<Message> {
    if (this.isEnding) throw this.endedError()
    return this.requests().request(topic, payload, options)
  }

  /** Answers the requests that come to a filter. Settles on SUBACK. @returns a function that ends it */
  async respond(
    filter: string,
    handler: Responder,
    options: RespondOptions = {},
  ): Promise<() => Promise<void>> {
    if (this.isEnding) throw this.endedError()
    return this.requests().respond(filter, handler, options)
  }

  /** Sends PINGREQ and gives the round trip in milliseconds.
   *  @throws ConnectionLostError when there is no connection, or it ends */
  async ping(options: WaitOptions = {}): Promise<number> {
    const { link } = this.session
    if (link === undefined) throw new ConnectionLostError('there is no connection')
    return need(this.parts, 'pings')(link, options, this.platform)
  }

  /** Authenticates again on the live connection, with the client's authenticator. Settles when the server accepts.
   *  @throws NotSupportedError without authenticator or before MQTT 5.0; ConnectionLostError when the server hangs up
   *  @see MQTT 5.0, 4.12.1 */
  async reauthenticate(options: WaitOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const { authentication, link } = this.session
    if (authentication === undefined)
      throw new NotSupportedError('authenticator is undefined; the client needs one')
    const exchange = authentication.again(link)
    watch(exchange, options, this.platform, 're-authentication')
    return exchange.promise
  }

  /** Calls `handler` with every message, of all subscriptions. @returns a function that ends that */
  onMessage(handler: MessageHandler, options: HandlerOptions = {}): () => void {
    const dropped = (): void => this.session.counters.drop('slowReceiver')
    return this.session.subscriber.addEveryone(
      new HandlerSink(handler, options, dropped, (error) => this.report(error)),
    )
  }

  /** Calls `handler` at the beginning of each connection. @returns a function that ends that */
  onConnect(handler: (connected: Connected) => unknown): () => void {
    return this.connectListeners.add(handler)
  }

  /** Calls `handler` with the error each time a connection ends. @returns a function that ends that */
  onDisconnect(handler: (error: Error) => unknown): () => void {
    return this.disconnectListeners.add(handler)
  }

  /** Calls `handler` after every `alertAfterFailures` failures in a row. @returns a function that ends that */
  onAlert(handler: (alert: Alert) => unknown): () => void {
    return this.alertListeners.add(handler)
  }

  /** Calls `handler` with what other handlers threw; without one such errors are unhandled rejections. */
  onError(handler: (error: unknown) => unknown): () => void {
    return this.errorListeners.add(handler)
  }

  /** Ends the client. By default what was published before is sent and acknowledged first, as far as that
   *  can be within `timeoutMs`; what is left then, or with `force`, rejects with SESSION_ENDED. Always resolves. */
  async close(options: CloseOptions = {}): Promise<void> {
    if (options.force) this.life.abort(new SessionEndedError('the client was closed; by force'))
    this.closing ??= this.closeInOrder(options)
    await this.closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private requests(): RequestResponse {
    this.exchanges ??= need(this.parts, 'requests')(
      this.session,
      this.platform,
      this.publish.bind(this),
      () => this.clientId,
      (error) => this.report(error),
    )
    return this.exchanges
  }

  private get isEnding(): boolean {
    return this.closing !== undefined || this.life.signal.aborted
  }

  private publishBytes(topic: string, payload: Uint8Array, options: PublishOptions): Promise<PublishResult> {
    const publication = new Publication(
      topic,
      payload,
      options.qos ?? 0,
      options.retain ?? false,
      options.properties,
    )
    this.publications.check(publication)
    watch(publication, options, this.platform, `publish to ${topic}`)
    return this.session.outbox.publish(publication)
  }

  private async closeInOrder(options: CloseOptions): Promise<void> {
    if (!this.life.signal.aborted) {
      this.feed.change({ state: 'closing' })
      await this.drain(options.timeoutMs ?? 10_000)
    }
    this.session.subscriber.end()
    const { link } = this.session
    if (link !== undefined && !this.life.signal.aborted) await this.sayGoodbye(link, options)
    this.life.abort(new SessionEndedError('the client was closed'))
    await this.closed
  }

  /** Waits until nothing is queued, in flight or unanswered; not longer than `timeoutMs`. */
  private drain(timeoutMs: number): Promise<void> {
    const { outbox, requests } = this.session
    return this.atMost(timeoutMs, Promise.all([outbox.whenIdle(), requests.whenIdle()]))
  }

  private async sayGoodbye(link: Link, options: CloseOptions): Promise<void> {
    const ours = this.settings.ownsSession && link.version === 5 ? { sessionExpiryInterval: 0 } : undefined
    const { reasonCode = 0, properties = ours } = options
    this.leaving = true
    link.send({ type: 'DISCONNECT', reasonCode, properties })
    await this.atMost(GOODBYE_MS, link.transport.end())
    link.transport.destroy()
  }

  /** Waits for `done`, not longer than `ms`, nor than the client lives. */
  private async atMost(ms: number, done: Promise<unknown>): Promise<void> {
    const limit = new AbortController()
    const stop = onAbort(this.life.signal, () => limit.abort())
    await Promise.race([done, sleep(this.platform, ms, limit.signal).catch(() => {})])
    limit.abort()
    stop()
  }

  private async run(keepTrying: boolean): Promise<Error | undefined> {
    // The constructor's caller first gets the client.
    await Promise.resolve()
    let failure: Error
    try {
      const { clientId, clientIdIsChosen } = this.settings
      this.connector.clientId = await this.session.restore(clientId, clientIdIsChosen)
      failure = await this.reconnectLoop(keepTrying, this.life.signal)
    } catch (error) {
      failure = asError(error)
    }
    const shown = this.closing === undefined ? failure : undefined
    const ended =
      failure instanceof SessionEndedError ? failure : new SessionEndedError('the client has ended', failure)
    this.life.abort(ended)
    this.start.reject(failure)
    await this.session.end(ended, shown)
    this.exchanges?.fail(ended)
    this.feed.change({ state: 'closed', error: shown })
    return shown
  }

  /** Connects and serves the connection, again and again with growing delays; gives what ended it. */
  private async reconnectLoop(keepTrying: boolean, signal: AbortSignal): Promise<Error> {
    for (;;) {
      const error = await this.connectOnce(signal)
      if (signal.aborted) return asError(signal.reason)
      if (this.leaving) return new SessionEndedError('the client was closed')
      const delay = this.nextDelay(error, keepTrying)
      if (delay === undefined) return error
      this.change({ state: 'waiting', error, failures: this.failures, retryInMs: delay })
      await sleep(this.platform, delay, signal).catch(() => {})
      if (signal.aborted) return asError(signal.reason)
    }
  }

  /** One attempt, and the connection that comes of it; gives what ended it. */
  private async connectOnce(signal: AbortSignal): Promise<Error> {
    this.change({ state: 'connecting' })
    let error: Error
    try {
      const link = await this.connector.establish(signal)
      error = await this.serve(link, signal)
      if (this.platform.now() - link.since > STABLE_MS) this.failures = 0
    } catch (caught) {
      error = asError(caught)
    }
    if (!signal.aborted && !this.leaving) {
      this.failures++
      this.session.counters.failed(error)
    }
    return error
  }

  /** How long to wait before the next attempt; undefined: there is to be none. */
  private nextDelay(error: Error, keepTrying: boolean): number | undefined {
    const { reconnect, alertAfterFailures, followServerReference } = this.settings
    const { failures } = this
    if (failures % alertAfterFailures === 0) this.alertListeners.tell({ failures, error })
    if (followServerReference && this.parts.references?.(this.connector.servers, error)) return 0
    if (reconnect === false || !(this.connectedOnce || keepTrying)) return undefined
    const again =
      reconnect.retryOn?.(error) ?? !isHopeless(error instanceof MqttError ? error.reasonCode : undefined)
    if (!again || failures >= reconnect.maximumAttempts) return undefined
    this.connector.servers.next()
    if (reconnect.delayMs !== undefined) return reconnect.delayMs(failures)
    return fullJitter(failures, reconnect.minimumDelayMs, reconnect.maximumDelayMs, this.platform.random())
  }

  /** Runs one connection until it ends; gives what ended it. */
  private async serve(link: Link, signal: AbortSignal): Promise<Error> {
    const ended = new AbortController()
    const stop = onAbort(signal, () => link.transport.fail(signal.reason))
    this.begin(link)
    keepAliveLoop(link, this.platform, ended.signal).catch(() => {})
    const error = await this.readLoop(link)
    ended.abort()
    stop()
    farewell(link.transport, error)
    this.session.detach(link, error)
    this.disconnectListeners.tell(error)
    return error
  }

  private begin(link: Link): void {
    this.session.counters.connections++
    this.connectedOnce = true
    this.session.attach(link, this.clientId)
    this.change({ state: 'connected' })
    this.start.resolve()
    const version = link.version === 5 ? '5.0' : link.version === 4 ? '3.1.1' : '3.1'
    this.connectListeners.tell({ sessionPresent: link.sessionPresent, version, properties: link.server })
  }

  /** Takes packets until the connection ends; gives what ended it. */
  private async readLoop(link: Link): Promise<Error> {
    const { transport } = link
    try {
      for (;;) this.session.receive(transport.takePacket() ?? (await transport.readPacket()), link)
    } catch (error) {
      return asError(error)
    }
  }

  /** While the client closes, that is its state, whatever its connections do. */
  private change(status: Status): void {
    if (this.closing === undefined) this.feed.change(status)
  }

  private report(error: unknown): void {
    if (this.errorListeners.size > 0) this.errorListeners.tell(error)
    else rethrow(error)
  }

  private endedError(): SessionEndedError {
    return new SessionEndedError(this.state === 'closed' ? 'the client has ended' : 'the client is closing')
  }
}

function rethrow(error: unknown): void {
  void Promise.reject(error)
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error), { cause: error })
}
