import type { PublishProperties, QoS, UserProperty } from '@pipit/protocol'
import type { Message } from './message.ts'

interface Span {
  setStatus(status: { code: number; message?: string }): unknown
  recordException(error: unknown): void
  end(): void
}

/** What is used of `@opentelemetry/api`; the module itself fits. */
export interface TelemetryApi {
  readonly trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { kind: number; attributes: Record<string, string | number> },
        context: never,
      ): Span
    }
    setSpan(context: never, span: never): unknown
  }
  readonly context: { active(): unknown; with(context: never, run: () => unknown): unknown }
  readonly propagation: {
    inject(context: never, carrier: Record<string, string>): void
    extract(context: never, carrier: Record<string, string>): unknown
  }
  readonly SpanKind: { readonly PRODUCER: number; readonly CONSUMER: number }
  readonly SpanStatusCode: { readonly ERROR: number }
}

/** A span around one operation. */
export interface Scope {
  /** Runs with the span as the active one. */
  run<T>(work: () => T): T
  end(error?: unknown): void
}

/** What it needs of a publish's options. */
interface Traced {
  readonly qos?: QoS
  readonly properties?: PublishProperties
}

/** Spans for what is published and received; the trace travels in User Properties. */
export class Telemetry {
  private readonly api: TelemetryApi

  constructor(api: TelemetryApi) {
    this.api = api
  }

  /** Puts a span around a publish, whose properties carry it. */
  async publish<R>(topic: string, options: Traced, publish: (options: Traced) => Promise<R>): Promise<R> {
    const { api } = this
    const { qos = 0, properties } = options
    const [scope, context] = this.begin(
      `publish ${topic}`,
      topic,
      qos,
      api.SpanKind.PRODUCER,
      api.context.active(),
    )
    const carrier: Record<string, string> = {}
    api.propagation.inject(context as never, carrier)
    const carried: UserProperty[] = Object.entries(carrier)
    const userProperties = [...(properties?.userProperties ?? []), ...carried]
    try {
      const result = await publish({ ...options, properties: { ...properties, userProperties } })
      scope.end()
      return result
    } catch (error) {
      scope.end(error)
      throw error
    }
  }

  /** Begins the span of a message that has come, as a child of its publisher's. */
  receive(message: Message): Scope {
    const carrier: Record<string, string> = {}
    for (const [name, value] of message.properties.userProperties ?? []) carrier[name] = value
    const parent = this.api.propagation.extract(this.api.context.active() as never, carrier)
    return this.begin(
      `process ${message.topic}`,
      message.topic,
      message.qos,
      this.api.SpanKind.CONSUMER,
      parent,
    )[0]
  }

  private begin(name: string, topic: string, qos: number, kind: number, parent: unknown): [Scope, unknown] {
    const { api } = this
    const attributes = {
      'messaging.system': 'mqtt',
      'messaging.destination.name': topic,
      'messaging.mqtt.qos': qos,
    }
    const span = api.trace.getTracer('@pipit/client').startSpan(name, { kind, attributes }, parent as never)
    const context = api.trace.setSpan(parent as never, span as never)
    const scope: Scope = {
      run: <T>(work: () => T) => api.context.with(context as never, work) as T,
      end: (error) => {
        if (error !== undefined) {
          span.recordException(error)
          span.setStatus({ code: api.SpanStatusCode.ERROR, message: String(error) })
        }
        span.end()
      },
    }
    return [scope, context]
  }
}
