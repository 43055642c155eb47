import type { NeighborInfo, Position, Telemetry, User } from './messages.ts'
import type { Content, MeshMessage } from './packet.ts'

type Json = Readonly<Record<string, unknown>>

/** Reads a message of the firmware's old JSON output.
 *  @throws SyntaxError, TypeError for what is no such message */
export function fromLegacyJson(payload: Uint8Array): MeshMessage {
  const json = objectOf(
    JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString()),
  )
  const from = unsigned(json['from'])
  if (from === undefined || from === 0) throw new TypeError('the message does not say from whom it is')
  const timestamp = unsigned(json['timestamp'])
  const hops = unsigned(json['hops_away'])
  const hopStart = unsigned(json['hop_start'])
  return {
    from,
    to: unsigned(json['to']) ?? 0,
    id: unsigned(json['id']) ?? 0,
    heardAt: timestamp === undefined || timestamp === 0 ? undefined : timestamp * 1000,
    channel: unsigned(json['channel']) ?? 0,
    gateway: text(json['sender']) ?? '',
    snr: number(json['snr']),
    rssi: number(json['rssi']),
    hopStart,
    hopLimit: hopStart === undefined || hops === undefined ? undefined : hopStart - hops,
    content: contentFrom(json['type'], json['payload']),
  }
}

/** A message in the firmware's old JSON shape, which 2.8 removed; undefined where that had none. */
export function toLegacyJson(message: MeshMessage, now: number): string | undefined {
  const told = payloadFor(message.content, message.from)
  if (told === undefined) return undefined
  const { channel, from, hopStart, hopLimit, id, rssi, gateway, snr, to, heardAt } = message
  const hops = hopStart === undefined || hopLimit === undefined ? {} : { hops_away: hopStart - hopLimit }
  return JSON.stringify({
    channel,
    from,
    ...hops,
    hop_start: hopStart,
    id,
    payload: told.payload,
    rssi,
    sender: gateway,
    snr,
    timestamp: Math.floor((heardAt ?? now) / 1000),
    to,
    type: told.type,
  })
}

function payloadFor(content: Content, from: number): { type: string; payload: unknown } | undefined {
  switch (content.type) {
    case 'text':
      return { type: 'text', payload: { text: content.value } }
    case 'nodeinfo': {
      const {
        id = `!${from.toString(16).padStart(8, '0')}`,
        longName,
        shortName,
        hwModel,
        role,
      } = content.value
      const payload = {
        hardware: hwModel ?? 0,
        id,
        longname: longName,
        role: role ?? 0,
        shortname: shortName,
      }
      return { type: 'nodeinfo', payload }
    }
    case 'position': {
      const { latitudeI, longitudeI, altitude, time, groundSpeed, groundTrack, satsInView, precisionBits } =
        content.value
      const payload = {
        altitude,
        ground_speed: groundSpeed,
        ground_track: groundTrack,
        latitude_i: latitudeI,
        longitude_i: longitudeI,
        precision_bits: precisionBits,
        sats_in_view: satsInView,
        time,
      }
      return { type: 'position', payload }
    }
    case 'telemetry':
      return { type: 'telemetry', payload: telemetryPayload(content.value) }
    case 'neighborinfo':
      return { type: 'neighborinfo', payload: neighborPayload(content.value) }
    default:
      return undefined
  }
}

function telemetryPayload({ deviceMetrics: device, environmentMetrics: environment }: Telemetry): Json {
  if (environment !== undefined) {
    return {
      barometric_pressure: environment.barometricPressure,
      current: environment.current,
      gas_resistance: environment.gasResistance,
      iaq: environment.iaq,
      relative_humidity: environment.relativeHumidity,
      temperature: environment.temperature,
      voltage: environment.voltage,
    }
  }
  return {
    air_util_tx: device?.airUtilTx,
    battery_level: device?.batteryLevel,
    channel_utilization: device?.channelUtilization,
    uptime_seconds: device?.uptimeSeconds,
    voltage: device?.voltage,
  }
}

function neighborPayload(info: NeighborInfo): Json {
  return {
    last_sent_by_id: info.lastSentById ?? 0,
    neighbors: info.neighbors.map(({ nodeId = 0, snr = 0 }) => ({ node_id: nodeId, snr })),
    neighbors_count: info.neighbors.length,
    node_broadcast_interval_secs: info.nodeBroadcastIntervalSecs ?? 0,
    node_id: info.nodeId ?? 0,
  }
}

function contentFrom(type: unknown, payload: unknown): Content {
  if (type === 'text') {
    // Text that was JSON itself was put in as it is.
    const inner =
      typeof payload === 'object' && payload !== null ? text((payload as Json)['text']) : undefined
    return { type, value: inner ?? (typeof payload === 'string' ? payload : JSON.stringify(payload ?? '')) }
  }
  switch (type) {
    case 'nodeinfo':
      return { type, value: userFrom(objectOf(payload)) }
    case 'position':
      return { type, value: positionFrom(objectOf(payload)) }
    case 'telemetry':
      return { type, value: telemetryFrom(objectOf(payload)) }
    case 'neighborinfo':
      return { type, value: neighborsFrom(objectOf(payload)) }
    default:
      return { type: 'other', portnum: 0 }
  }
}

function userFrom(json: Json): User {
  return {
    id: text(json['id']),
    longName: text(json['longname']),
    shortName: text(json['shortname']),
    macaddr: undefined,
    hwModel: unsigned(json['hardware']),
    isLicensed: undefined,
    role: unsigned(json['role']),
    publicKey: undefined,
  }
}

function positionFrom(json: Json): Position {
  return {
    latitudeI: number(json['latitude_i']),
    longitudeI: number(json['longitude_i']),
    altitude: number(json['altitude']),
    time: unsigned(json['time']),
    timestamp: undefined,
    groundSpeed: unsigned(json['ground_speed']),
    groundTrack: unsigned(json['ground_track']),
    satsInView: unsigned(json['sats_in_view']),
    precisionBits: unsigned(json['precision_bits']),
  }
}

function telemetryFrom(json: Json): Telemetry {
  const isEnvironment = 'temperature' in json || 'relative_humidity' in json || 'barometric_pressure' in json
  const environmentMetrics = {
    temperature: number(json['temperature']),
    relativeHumidity: number(json['relative_humidity']),
    barometricPressure: number(json['barometric_pressure']),
    gasResistance: number(json['gas_resistance']),
    voltage: number(json['voltage']),
    current: number(json['current']),
    iaq: unsigned(json['iaq']),
  }
  const deviceMetrics = {
    batteryLevel: unsigned(json['battery_level']),
    voltage: number(json['voltage']),
    channelUtilization: number(json['channel_utilization']),
    airUtilTx: number(json['air_util_tx']),
    uptimeSeconds: unsigned(json['uptime_seconds']),
  }
  return isEnvironment
    ? { time: undefined, deviceMetrics: undefined, environmentMetrics }
    : { time: undefined, deviceMetrics, environmentMetrics: undefined }
}

function neighborsFrom(json: Json): NeighborInfo {
  const list = Array.isArray(json['neighbors']) ? json['neighbors'] : []
  return {
    nodeId: unsigned(json['node_id']),
    lastSentById: unsigned(json['last_sent_by_id']),
    nodeBroadcastIntervalSecs: unsigned(json['node_broadcast_interval_secs']),
    neighbors: list.map((each: unknown) => {
      const neighbor = objectOf(each)
      return {
        nodeId: unsigned(neighbor['node_id']),
        snr: number(neighbor['snr']),
        lastRxTime: undefined,
        nodeBroadcastIntervalSecs: undefined,
      }
    }),
  }
}

function objectOf(value: unknown): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new TypeError('not a JSON object')
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function unsigned(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffffffff
    ? value
    : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
