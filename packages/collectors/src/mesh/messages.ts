import { type MessageOf, message } from './wire.ts'

// Field numbers are facts of the format on the air; names are those of this package.

export const Data = message({
  portnum: [1, 'uint32'],
  payload: [2, 'bytes'],
  wantResponse: [3, 'bool'],
  dest: [4, 'fixed32'],
  source: [5, 'fixed32'],
  requestId: [6, 'fixed32'],
  replyId: [7, 'fixed32'],
  emoji: [8, 'fixed32'],
  bitfield: [9, 'uint32'],
})
export type Data = MessageOf<typeof Data>

export const MeshPacket = message({
  from: [1, 'fixed32'],
  to: [2, 'fixed32'],
  channel: [3, 'uint32'],
  decoded: [4, Data],
  encrypted: [5, 'bytes'],
  id: [6, 'fixed32'],
  rxTime: [7, 'fixed32'],
  rxSnr: [8, 'float'],
  hopLimit: [9, 'uint32'],
  wantAck: [10, 'bool'],
  rxRssi: [12, 'int32'],
  viaMqtt: [14, 'bool'],
  hopStart: [15, 'uint32'],
  publicKey: [16, 'bytes'],
  pkiEncrypted: [17, 'bool'],
})
export type MeshPacket = MessageOf<typeof MeshPacket>

export const ServiceEnvelope = message({
  packet: [1, MeshPacket],
  channelId: [2, 'string'],
  gatewayId: [3, 'string'],
})
export type ServiceEnvelope = MessageOf<typeof ServiceEnvelope>

export const Neighbor = message({
  nodeId: [1, 'uint32'],
  snr: [2, 'float'],
  lastRxTime: [3, 'fixed32'],
  nodeBroadcastIntervalSecs: [4, 'uint32'],
})

export const NeighborInfo = message({
  nodeId: [1, 'uint32'],
  lastSentById: [2, 'uint32'],
  nodeBroadcastIntervalSecs: [3, 'uint32'],
  neighbors: [4, Neighbor, 'repeated'],
})
export type NeighborInfo = MessageOf<typeof NeighborInfo>

/** What a NodeInfo packet (port 4) carries. */
export const User = message({
  id: [1, 'string'],
  longName: [2, 'string'],
  shortName: [3, 'string'],
  macaddr: [4, 'bytes'],
  hwModel: [5, 'uint32'],
  isLicensed: [6, 'bool'],
  role: [7, 'uint32'],
  publicKey: [8, 'bytes'],
})
export type User = MessageOf<typeof User>

/** Latitude and longitude in 1e-7 degrees, altitude in metres. */
export const Position = message({
  latitudeI: [1, 'sfixed32'],
  longitudeI: [2, 'sfixed32'],
  altitude: [3, 'int32'],
  time: [4, 'fixed32'],
  timestamp: [7, 'fixed32'],
  groundSpeed: [15, 'uint32'],
  groundTrack: [16, 'uint32'],
  satsInView: [19, 'uint32'],
  precisionBits: [23, 'uint32'],
})
export type Position = MessageOf<typeof Position>

export const DeviceMetrics = message({
  batteryLevel: [1, 'uint32'],
  voltage: [2, 'float'],
  channelUtilization: [3, 'float'],
  airUtilTx: [4, 'float'],
  uptimeSeconds: [5, 'uint32'],
})

export const EnvironmentMetrics = message({
  temperature: [1, 'float'],
  relativeHumidity: [2, 'float'],
  barometricPressure: [3, 'float'],
  gasResistance: [4, 'float'],
  voltage: [5, 'float'],
  current: [6, 'float'],
  iaq: [7, 'uint32'],
})

export const Telemetry = message({
  time: [1, 'fixed32'],
  deviceMetrics: [2, DeviceMetrics],
  environmentMetrics: [3, EnvironmentMetrics],
})
export type Telemetry = MessageOf<typeof Telemetry>

export const MapReport = message({
  longName: [1, 'string'],
  shortName: [2, 'string'],
  role: [3, 'uint32'],
  hwModel: [4, 'uint32'],
  firmwareVersion: [5, 'string'],
  region: [6, 'uint32'],
  modemPreset: [7, 'uint32'],
  hasDefaultChannel: [8, 'bool'],
  latitudeI: [9, 'sfixed32'],
  longitudeI: [10, 'sfixed32'],
  altitude: [11, 'int32'],
  positionPrecision: [12, 'uint32'],
  numOnlineLocalNodes: [13, 'uint32'],
})
export type MapReport = MessageOf<typeof MapReport>
