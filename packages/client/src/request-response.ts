import type { PublishProperties, QoS } from '@pipit/protocol'
import { NotSupportedError } from './errors.ts'
import { HandlerSink } from './handler-sink.ts'
import type { Message } from './message.ts'
import { Operation } from './operation.ts'
import { bytesOf } from './options.ts'
import type { Platform } from './platform.ts'
import type { PublishResult } from './publication.ts'
import type { Session } from './session.ts'
import type { FilterOptions } from './subscriptions.ts'
import { type WaitOptions, watch } from './watch.ts'

export interface RequestOptions extends WaitOptions {
  /** Of the request; default 1. The response comes with the QoS that the responder chooses. */
  readonly qos?: QoS
  /** Sent with the request; Response Topic and Correlation Data are the client's own business. */
  readonly properties?: PublishProperties
}

/** What a responder answers with. */
export type Response =
  | string
  | Uint8Array
  | { readonly payload: string | Uint8Array; readonly qos?: QoS; readonly properties?: PublishProperties }

/** Answers one request; undefined: no answer. */
export type Responder = (request: Message) => Response | undefined | Promise<Response | undefined>

export interface RespondOptions extends FilterOptions, WaitOptions {
  /** Requests answered at once; default 16. */
  readonly concurrency?: number
}

type PublishFunction = (
  topic: string,
  payload: Uint8Array,
  options: { qos: QoS; properties: PublishProperties },
) => Promise<PublishResult>

/** Request and response over MQTT 5.0: one response topic for the client, one Correlation Data for each request.
 *  @see MQTT 5.0, 4.10 */
export class RequestResponse {
  private readonly session: Session
  private readonly platform: Platform
  private readonly publish: PublishFunction
  private readonly clientId: () => string
  private readonly report: (error: unknown) => void
  private readonly waiting = new Map<string, Pending>()
  private count = 0
  private responseTopic: string | undefined = undefined
  private listening: Promise<unknown> | undefined = undefined

  constructor(
    session: Session,
    platform: Platform,
    publish: PublishFunction,
    clientId: () => string,
    report: (error: unknown) => void,
  ) {
    this.session = session
    this.platform = platform
    this.publish = publish
    this.clientId = clientId
    this.report = report
  }

  async request(topic: string, payload: string | Uint8Array, options: RequestOptions): Promise<Message> {
    const bytes = bytesOf(payload, 'payload')
    if (
      options.properties?.responseTopic !== undefined ||
      options.properties?.correlationData !== undefined
    ) {
      throw new TypeError('responseTopic and correlationData are set by request(); leave them out')
    }
    const key = String(++this.count)
    const pending = new Pending(() => this.waiting.delete(key))
    watch(pending, options, this.platform, `request to ${topic}`)
    this.waiting.set(key, pending)
    this.send(topic, bytes, key, options).catch((error: unknown) => pending.fail(error))
    return pending.promise
  }

  /** Subscribes and answers. @returns a function that ends it */
  async respond(filter: string, responder: Responder, options: RespondOptions): Promise<() => Promise<void>> {
    const sink = new HandlerSink(
      (request) => this.answer(request, responder),
      { concurrency: options.concurrency ?? 16 },
      () => this.session.counters.drop('slowReceiver'),
      this.report,
    )
    const subscription = await this.session.subscriber.subscribeSink(filter, { qos: 1, ...options }, sink)
    return () => subscription.leave()
  }

  fail(error: unknown): void {
    for (const pending of [...this.waiting.values()]) pending.fail(error)
  }

  private async send(
    topic: string,
    payload: Uint8Array,
    key: string,
    options: RequestOptions,
  ): Promise<void> {
    const responseTopic = await this.listen()
    if (!this.waiting.has(key)) return
    const correlationData = new TextEncoder().encode(key)
    const properties = { ...options.properties, responseTopic, correlationData }
    await this.publish(topic, payload, { qos: options.qos ?? 1, properties })
  }

  /** Subscribes to the response topic, once. */
  private async listen(): Promise<string> {
    this.responseTopic ??= `pipit/response/${this.clientId() || crypto.randomUUID()}`
    const topic = this.responseTopic
    this.listening ??= this.session.subscriber
      .subscribeSink(topic, { qos: 1 }, { deliver: (message) => this.take(message) })
      .catch((error: unknown) => {
        this.listening = undefined
        throw error
      })
    await this.listening
    if (this.session.link !== undefined && this.session.link.version < 5) {
      throw new NotSupportedError('request and response need MQTT 5.0')
    }
    return topic
  }

  private take(message: Message): void {
    const { correlationData } = message.properties
    if (correlationData !== undefined)
      this.waiting.get(new TextDecoder().decode(correlationData))?.succeed(message)
    message.settle()
  }

  private async answer(request: Message, responder: Responder): Promise<void> {
    const { responseTopic, correlationData } = request.properties
    const response = await responder(request)
    if (response === undefined || responseTopic === undefined) return
    const full =
      typeof response === 'string' || response instanceof Uint8Array ? { payload: response } : response
    const properties =
      correlationData === undefined ? full.properties : { ...full.properties, correlationData }
    await this.publish(responseTopic, bytesOf(full.payload, 'the response'), {
      qos: full.qos ?? request.qos,
      properties: properties ?? {},
    })
  }
}

/** One request that waits for its response. */
class Pending extends Operation<Message> {
  private readonly forget: () => void

  constructor(forget: () => void) {
    super()
    this.forget = forget
  }

  protected override end(): void {
    this.forget()
    super.end()
  }
}
