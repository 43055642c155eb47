export { type Clock, systemClock } from './clock.ts'
export { DARK, hue, mix, onScreen, type Rgbw, WHITE } from './lights/colour.ts'
export {
  LIGHT_ACTIONS,
  type LightAction,
  type LightCommand,
  LightCommandError,
  parseLightCommand,
} from './lights/commands.ts'
export { FRAME_MS, Light, type LightEffect, type LightState } from './lights/light.ts'
export { type RunLightOptions, type RunningLight, runLight } from './lights/run-light.ts'
export {
  DEFAULT_PREFIX,
  type DeviceLink,
  type DeviceMessage,
  type DevicePublishOptions,
  deviceTopics,
  statusWill,
} from './link.ts'
export { type RunningSensor, type RunSensorOptions, runSensor } from './sensors/run-sensor.ts'
export type { Reading, Sensor } from './sensors/sensor.ts'
export { SimulatedTemperature, type TemperatureOptions } from './sensors/temperature.ts'
