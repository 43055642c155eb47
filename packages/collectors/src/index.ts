export type { Collector, CollectorMetrics, CollectorState, Incoming } from './collector/collector.ts'
export type { CollectorAlert, CollectorEventMap } from './collector/events.ts'
export type { CollectorOptions } from './collector/feed.ts'
export { geohash, geohashCover } from './lightning/geohash.ts'
export { LightningCollector, type LightningOptions } from './lightning/lightning.ts'
export { type SimulatedStroke, type SimulationOptions, simulateStorms } from './lightning/simulate.ts'
export { bearing, destination, distanceKm, type Place } from './lightning/sphere.ts'
export type { StormReport } from './lightning/storm-watch.ts'
export { MeshCollector, type MeshOptions } from './mesh/mesh.ts'
export type { Retention } from './store/database.ts'
export { type QueryResult, query } from './store/query.ts'
export type {
  EventRecord,
  NeighbourRecord,
  NodeRecord,
  PositionRecord,
  StatusRecord,
  StoreRecord,
  StrokeRecord,
} from './store/records.ts'
export { Store, type StoreFault, type StoreMetrics, type StoreOptions } from './store/store.ts'
