import * as telemetry from '@opentelemetry/api'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ClientOptions, type MqttClient, open } from '../src/index.ts'
import { memoryBroker, type Peer } from './scripted-broker.ts'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
let client: MqttClient | undefined

beforeAll(() => provider.register())
afterEach(async () => {
  await client?.close({ force: true })
  exporter.reset()
})
afterAll(async () => {
  await provider.shutdown()
  for (const api of [trace, context, propagation]) api.disable()
})

async function connected(options: ClientOptions = {}): Promise<{ running: MqttClient; peer: Peer }> {
  const broker = memoryBroker()
  const running = open(broker.url, { transport: broker.transport, version: '5.0', telemetry, ...options })
  client = running
  const peer = await broker.accept()
  const onConnect = new Promise<void>((resolve) => running.onConnect(() => resolve()))
  await peer.welcome()
  await onConnect
  return { running, peer }
}

describe('OpenTelemetry', () => {
  it('publish() is a producer span, child of the active one, and its traceparent a User Property', async () => {
    const { running, peer } = await connected()
    const tracer = trace.getTracer('test')
    const parent = tracer.startSpan('reading')
    const published = context.with(trace.setSpan(context.active(), parent), () =>
      running.publish('sensors/1', '21', { qos: 1, properties: { userProperties: [['own', 'kept']] } }),
    )
    const packet = await peer.expect('PUBLISH')
    peer.send({ type: 'PUBACK', packetId: packet.packetId, reasonCode: 0 })
    await published
    parent.end()

    const [span] = exporter.getFinishedSpans()
    expect(span).toMatchObject({
      name: 'publish sensors/1',
      kind: SpanKind.PRODUCER,
      status: { code: SpanStatusCode.UNSET },
    })
    expect(span!.parentSpanContext?.spanId).toBe(parent.spanContext().spanId)
    expect(span!.attributes).toEqual({
      'messaging.system': 'mqtt',
      'messaging.destination.name': 'sensors/1',
      'messaging.mqtt.qos': 1,
    })
    const { traceId, spanId } = span!.spanContext()
    expect(packet.properties?.userProperties).toEqual([
      ['own', 'kept'],
      ['traceparent', `00-${traceId}-${spanId}-01`],
    ])
  })

  it('publish() that is refused ends its span with the error', async () => {
    const { running, peer } = await connected()
    const published = running.publish('t', 'x', { qos: 1 })
    const { packetId } = await peer.expect('PUBLISH')
    peer.send({ type: 'PUBACK', packetId, reasonCode: 0x87 })
    await expect(published).rejects.toMatchObject({ code: 'REQUEST_REFUSED' })
    const [span] = exporter.getFinishedSpans()
    expect(span!.status.code).toBe(SpanStatusCode.ERROR)
    expect(span!.events[0]!.name).toBe('exception')
  })

  it('a message that comes is a consumer span of its publisher, active in the handler', async () => {
    const { running, peer } = await connected()
    const inside = new Promise<string | undefined>((resolve) =>
      running.onMessage(async () => {
        await Promise.resolve()
        resolve(trace.getActiveSpan()?.spanContext().spanId)
      }),
    )
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    peer.send({
      type: 'PUBLISH',
      topic: 'sensors/1',
      payload: Buffer.from('21'),
      qos: 1,
      retain: false,
      dup: false,
      packetId: 3,
      properties: { userProperties: [['traceparent', traceparent]] },
    })
    const active = await inside
    await peer.expect('PUBACK')
    const [span] = exporter.getFinishedSpans()
    expect(span).toMatchObject({ name: 'process sensors/1', kind: SpanKind.CONSUMER })
    expect(span!.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c')
    expect(span!.parentSpanContext?.spanId).toBe('b7ad6b7169203331')
    expect(active).toBe(span!.spanContext().spanId)
  })

  it('a handler that throws ends its span with the error', async () => {
    const { running, peer } = await connected()
    const reported = new Promise((resolve) => running.onError(resolve))
    running.onMessage(() => {
      throw new Error('no room')
    })
    peer.send({
      type: 'PUBLISH',
      topic: 't',
      payload: Buffer.from('x'),
      qos: 0,
      retain: false,
      dup: false,
      packetId: 0,
    })
    await reported
    const [span] = exporter.getFinishedSpans()
    expect(span!.status).toMatchObject({ code: SpanStatusCode.ERROR, message: 'Error: no room' })
  })
})
