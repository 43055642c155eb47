export {
  DARK,
  fromHueSaturation,
  fromKelvin,
  fromXy,
  hue,
  hueSaturation,
  mix,
  onScreen,
  type Rgbw,
  WHITE,
} from './colour.ts'
export {
  commandOf,
  LIGHT_ACTIONS,
  type LightAction,
  type LightCommand,
  parseLightCommand,
  updateOf,
} from './commands.ts'
export { EFFECT_NAMES, type EffectName } from './effects.ts'
export { LightCommandError } from './fields.ts'
export { homeAssistantState, parseHomeAssistantCommand } from './home-assistant.ts'
export { FRAME_MS, Light, type LightEffect, type LightState } from './light.ts'
export { type Driven, LightOutput, type OutputOptions, type PowerLimit } from './output.ts'
export { type RunLightOptions, type RunningLight, runLight } from './run-light.ts'
export { lightTopics } from './topics.ts'
export { TRACE_PROPERTY, type TraceClock } from './trace.ts'
export type { LightUpdate } from './update.ts'
