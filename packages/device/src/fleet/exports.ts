export { type Field, type FieldFault, type Fields, keyOf, type Path } from './field.ts'
export { Fleet, type FleetOptions, type FleetProgress } from './fleet.ts'
export { type Account, lostReadings } from './ledger.ts'
export { ModelWorld } from './model-world.ts'
export { deviceId } from './naming.ts'
export { seeded } from './random.ts'
export {
  type CheckedScenario,
  checkScenario,
  type NetworkConditions,
  type Outage,
  SCENARIO_FIELDS,
  type Scenario,
} from './scenario.ts'
export { Direction, type Passage } from './segments.ts'
export { describeSummary, type FleetSummary, type Spread } from './summary.ts'
export { durationOf, shareOf, spoken } from './units.ts'
export { VirtualClock } from './virtual-clock.ts'
export type { Collected, DeviceRadio, FleetWorld } from './world.ts'
