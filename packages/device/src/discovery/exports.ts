export { type Announced, type AnnounceOptions, announce } from './announce.ts'
export {
  type DeviceDescription,
  type DiscoveryForm,
  type DiscoveryFormOptions,
  type DiscoveryMessage,
  discoveryMessages,
  type Origin,
} from './describe.ts'
export { abbreviated, expanded } from './expand.ts'
export { DISCOVERY_FIELDS, type DiscoveryField, type FieldKind, type FieldPlace } from './fields.ts'
export { DISCOVERY_PREFIX, type DiscoveryTopic, discoveryTopic, readDiscoveryTopic } from './topics.ts'
export { discoveryFaults } from './validate.ts'
