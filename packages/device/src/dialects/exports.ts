export type { DialectMessage, LightDialect, ReadCommand, Written } from './dialect.ts'
export { esphomeLight } from './esphome.ts'
export { tasmotaLight } from './tasmota.ts'
export { zigbee2mqttLight } from './zigbee2mqtt.ts'
