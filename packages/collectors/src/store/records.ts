/** What collectors hand to the store. Times are milliseconds since the epoch unless the name says otherwise. */

/** What is known of a mesh node; what is absent stays as it was. */
export interface NodeRecord {
  readonly table: 'nodes'
  readonly id: number
  readonly seenAt: number
  readonly longName?: string
  readonly shortName?: string
  readonly hardwareModel?: number
  readonly role?: number
  readonly firmwareVersion?: string
  readonly region?: number
  readonly modemPreset?: number
  readonly batteryLevel?: number
  readonly voltage?: number
  readonly channelUtilization?: number
  readonly airUtilTx?: number
  readonly uptimeSeconds?: number
  readonly temperature?: number
  readonly relativeHumidity?: number
  readonly barometricPressure?: number
  readonly gateway?: string
}

/** One node heard another, with this signal to noise ratio in dB. */
export interface NeighbourRecord {
  readonly table: 'neighbours'
  readonly nodeId: number
  readonly neighbourId: number
  readonly snr: number
  readonly seenAt: number
}

/** Where a node was; degrees and metres. */
export interface PositionRecord {
  readonly table: 'positions'
  readonly nodeId: number
  readonly at: number
  readonly latitude: number
  readonly longitude: number
  readonly altitude?: number
  readonly precisionBits?: number
}

/** One lightning stroke. */
export interface StrokeRecord {
  readonly table: 'strokes'
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint
  readonly latitude: number
  readonly longitude: number
  readonly status?: number
  readonly region?: number
  readonly distanceKm: number
  /** Degrees clockwise from north, seen from the centre. */
  readonly bearing: number
}

/** Something that happened to a collector's connection. */
export interface EventRecord {
  readonly table: 'events'
  readonly collector: string
  readonly at: number
  readonly kind: string
  readonly detail?: string
}

/** How a collector is: one row for each, replaced. */
export interface StatusRecord {
  readonly table: 'collectors'
  readonly name: string
  readonly broker: string
  readonly state: string
  readonly detail?: string
  readonly attempts: number
  readonly messages: number
  readonly lastDataAt?: number
  readonly updatedAt: number
  readonly pid: number
}

export type StoreRecord =
  | NodeRecord
  | NeighbourRecord
  | PositionRecord
  | StrokeRecord
  | EventRecord
  | StatusRecord
