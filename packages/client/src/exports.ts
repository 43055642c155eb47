export {
  type ConnackProperties,
  type ConnectProperties,
  type DisconnectProperties,
  MalformedPacketError,
  MqttError,
  ProtocolError,
  type PublishProperties,
  type QoS,
  type ReasonCode,
  type ReasonProperties,
  type RetainHandling,
  type SubscribeProperties,
  type UserProperty,
  type WillProperties,
} from '@pipit/protocol'
export type { Authenticator } from './authenticator.ts'
export {
  type Alert,
  type CloseOptions,
  type Connected,
  MqttClient,
  type PublishOptions,
} from './client.ts'
export * from './errors.ts'
export type { HandlerOptions, MessageHandler } from './handler-sink.ts'
export type { Message } from './message.ts'
export type { Messages } from './messages.ts'
export type { ClientMetrics } from './metrics.ts'
export type {
  ClientOptions,
  Credentials,
  ReconnectOptions,
  Servers,
  Version,
  WillOptions,
} from './options.ts'
export type { Parts } from './parts.ts'
export type { PublishResult } from './publication.ts'
export type { QueueOptions } from './publish-queue.ts'
export type { RequestOptions, Responder, RespondOptions, Response } from './request-response.ts'
export type { OverflowPolicy, SinkOptions } from './sink.ts'
export type { ClientState, Status } from './status.ts'
export type { Store } from './store/store.ts'
export type { SubscribeOptions, SubscriptionRequest, UnsubscribeOptions } from './subscribe-requests.ts'
export type { UnsubscribeResult } from './subscriber.ts'
export type { FilterOptions } from './subscriptions.ts'
export type { TelemetryApi } from './telemetry.ts'
export type { ByteStream, StreamReceiver, Target, Transport } from './transport/stream.ts'
export { WebSocketClosedError } from './transport/websocket-closed.ts'
export type { WaitOptions } from './watch.ts'
