import type { NodeRecord, StoreRecord } from '../store/records.ts'
import type { MapReport, NeighborInfo, Position, Telemetry, User } from './messages.ts'
import type { MeshMessage } from './packet.ts'

/** The records of a message. @param now milliseconds since the epoch, for what does not say when it was heard */
export function rowsOf(message: MeshMessage, now: number): StoreRecord[] {
  const { from, content, gateway } = message
  // A gateway without a clock counts from 1970, one with a wrong one may be ahead.
  const heard = message.heardAt
  const at = heard === undefined || heard < 1_500_000_000_000 || heard > now + 86_400_000 ? now : heard
  const node = { table: 'nodes', id: from, seenAt: at, gateway: gateway || undefined } as const
  switch (content.type) {
    case 'nodeinfo':
      return [{ ...node, ...named(content.value) }]
    case 'position':
      return [node, ...positionOf(from, at, content.value, content.value.precisionBits)]
    case 'telemetry':
      return [{ ...node, ...measured(content.value) }]
    case 'neighborinfo':
      return [node, ...neighboursOf(from, at, content.value)]
    case 'map':
      return [
        { ...node, ...mapped(content.value) },
        ...positionOf(from, at, content.value, content.value.positionPrecision),
      ]
    default:
      return [node]
  }
}

function neighboursOf(from: number, at: number, info: NeighborInfo): StoreRecord[] {
  const nodeId = info.nodeId || from
  const rows: StoreRecord[] = []
  for (const { nodeId: neighbourId = 0, snr = 0 } of info.neighbors) {
    // Firmware that has no neighbours says that it hears node 0 with SNR 0.
    if (neighbourId === 0 && snr === 0) continue
    if (!Number.isFinite(snr)) continue
    rows.push({ table: 'neighbours', nodeId, neighbourId, snr, seenAt: at })
  }
  return rows
}

function positionOf(
  nodeId: number,
  at: number,
  position: Pick<Position, 'latitudeI' | 'longitudeI' | 'altitude'>,
  precisionBits: number | undefined,
): StoreRecord[] {
  const { latitudeI, longitudeI, altitude } = position
  if (latitudeI === undefined || longitudeI === undefined) return []
  const [latitude, longitude] = [latitudeI / 1e7, longitudeI / 1e7]
  if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return []
  return [{ table: 'positions', nodeId, at, latitude, longitude, altitude, precisionBits }]
}

function named({ longName, shortName, hwModel, role }: User): Partial<NodeRecord> {
  return { longName, shortName, hardwareModel: hwModel, role }
}

function measured({ deviceMetrics, environmentMetrics }: Telemetry): Partial<NodeRecord> {
  return finite({
    batteryLevel: deviceMetrics?.batteryLevel,
    voltage: deviceMetrics?.voltage,
    channelUtilization: deviceMetrics?.channelUtilization,
    airUtilTx: deviceMetrics?.airUtilTx,
    uptimeSeconds: deviceMetrics?.uptimeSeconds,
    temperature: environmentMetrics?.temperature,
    relativeHumidity: environmentMetrics?.relativeHumidity,
    barometricPressure: environmentMetrics?.barometricPressure,
  })
}

function mapped(report: MapReport): Partial<NodeRecord> {
  const { longName, shortName, hwModel, role, firmwareVersion, region, modemPreset } = report
  return { longName, shortName, hardwareModel: hwModel, role, firmwareVersion, region, modemPreset }
}

/** SQLite stores NaN as NULL, and an infinity is no measurement. */
function finite(values: Partial<NodeRecord>): Partial<NodeRecord> {
  const kept = Object.entries(values).filter(([, value]) => Number.isFinite(value))
  return Object.fromEntries(kept) as Partial<NodeRecord>
}
