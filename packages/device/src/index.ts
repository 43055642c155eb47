export { type ConfigUpdateOptions, checkConfigUpdate } from './client/config-update.ts'
export { DeviceClient } from './client/device-client.ts'
export type { MessageCallback } from './client/inbox.ts'
export { mqttWire } from './client/mqtt-wire.ts'
export type { DeviceClientOptions, DeviceWill } from './client/options.ts'
export {
  publishSensorData,
  type SensorDataOptions,
  type SensorMessage,
  type SensorName,
  sensorMessages,
} from './client/publish-sensor-data.ts'
export { clientOptionsOf, type SetupOptions, setupMqtt } from './client/setup-mqtt.ts'
export { type Clock, type Random, systemClock, systemWallClock, type WallClock } from './clock.ts'
export { type DeviceConfiguration, readConfiguration } from './configuration/configuration.ts'
export { ConfigurationError, type ConfigurationFault } from './configuration/errors.ts'
export {
  type ConfigurationFile,
  type ConfigurationStore,
  memoryConfiguration,
} from './configuration/store.ts'
export { mergeUpdate, type UpdateOptions, type UpdateResult } from './configuration/update.ts'
export {
  type ChargeEstimate,
  type CycleCost,
  ESP32_S3,
  estimateCharge,
  type PowerModel,
} from './cycle/charge.ts'
export { runCycle } from './cycle/run-cycle.ts'
export type {
  CycleClient,
  CycleOptions,
  CycleReport,
  KeepOptions,
  KeptMessages,
  OutgoingMessage,
  Wake,
} from './cycle/types.ts'
export * from './dialects/exports.ts'
export * from './discovery/exports.ts'
export * from './fleet/exports.ts'
export * from './lights/exports.ts'
export {
  DEFAULT_PREFIX,
  type DeviceLink,
  type DeviceMessage,
  type DevicePublishOptions,
  deviceTopics,
  statusWill,
} from './link.ts'
export { ReceivedMessage } from './message.ts'
export {
  type AttemptDecision,
  afterAttempt,
  DEFAULT_RECONNECT,
  decideAttempt,
  FRESH,
  type ReconnectSettings,
  type ReconnectState,
  type WakeTime,
  waitAfter,
} from './reconnect/policy.ts'
export * from './sensors/exports.ts'
export { SimulatedBroker } from './simulation/broker.ts'
export type { OpenWire, Traffic, Wire, WireReceiver } from './wire.ts'
