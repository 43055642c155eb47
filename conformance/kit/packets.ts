import type {
  Disconnect,
  DisconnectProperties,
  Packet,
  Publish,
  PublishProperties,
  QoS,
  ReasonCode,
  ReasonProperties,
  Subscribe,
  SubscribeProperties,
  Subscription,
  Unsubscribe,
} from '@pipit/protocol'

/** Packets to send and to expect, as short as a row wants them. */

/** What PUBLISH carries beside topic and payload. */
export interface PublishFields {
  readonly qos?: QoS
  readonly packetId?: number
  readonly retain?: boolean
  readonly dup?: boolean
  readonly properties?: PublishProperties
}

export function publish(
  topic: string,
  payload: string | Uint8Array = '',
  fields: PublishFields = {},
): Publish {
  const { qos = 0, packetId = 0, retain = false, dup = false, properties = {} } = fields
  return { type: 'PUBLISH', topic, payload: bytesOf(payload), qos, packetId, retain, dup, properties }
}

export function subscribe(
  packetId: number,
  filters: string | (Subscription | string)[],
  qos: QoS = 0,
  properties: SubscribeProperties = {},
): Subscribe {
  const list = typeof filters === 'string' ? [filters] : filters
  const subscriptions = list.map((one) => (typeof one === 'string' ? { topicFilter: one, qos } : one))
  return { type: 'SUBSCRIBE', packetId, subscriptions, properties }
}

export function unsubscribe(packetId: number, ...topicFilters: string[]): Unsubscribe {
  return { type: 'UNSUBSCRIBE', packetId, topicFilters }
}

function ack<T>(type: T, packetId: number, reasonCode: ReasonCode = 0, properties: ReasonProperties = {}) {
  return { type, packetId, reasonCode, properties }
}

export const puback = (packetId: number, reasonCode?: ReasonCode, properties?: ReasonProperties): Packet =>
  ack('PUBACK', packetId, reasonCode, properties)
export const pubrec = (packetId: number, reasonCode?: ReasonCode, properties?: ReasonProperties): Packet =>
  ack('PUBREC', packetId, reasonCode, properties)
export const pubrel = (packetId: number, reasonCode?: ReasonCode, properties?: ReasonProperties): Packet =>
  ack('PUBREL', packetId, reasonCode, properties)
export const pubcomp = (packetId: number, reasonCode?: ReasonCode, properties?: ReasonProperties): Packet =>
  ack('PUBCOMP', packetId, reasonCode, properties)

export function suback(packetId: number, ...reasonCodes: ReasonCode[]): Packet {
  return { type: 'SUBACK', packetId, reasonCodes, properties: {} }
}

/** In 3.x the codes are left away. */
export function unsuback(packetId: number, ...reasonCodes: ReasonCode[]): Packet {
  return { type: 'UNSUBACK', packetId, reasonCodes, properties: {} }
}

export function disconnect(reasonCode: ReasonCode = 0, properties: DisconnectProperties = {}): Disconnect {
  return { type: 'DISCONNECT', reasonCode, properties }
}

export const pingreq: Packet = { type: 'PINGREQ' }
export const pingresp: Packet = { type: 'PINGRESP' }

/** A part of a frame: a byte, a string with its length in front, or bytes as they are. */
export type Part = number | string | Uint8Array

/** A packet that no encoder would write: the first byte, then what follows; Remaining Length is filled in. */
export function frame(first: number, ...parts: Part[]): Uint8Array {
  const body = bytes(...parts)
  return Buffer.concat([Buffer.from([first]), varint(body.length), body])
}

export function bytes(...parts: Part[]): Buffer {
  return Buffer.concat(parts.map(partBytes))
}

/** Properties with their length in front. */
export function properties(...parts: Part[]): Buffer {
  const body = bytes(...parts)
  return Buffer.concat([varint(body.length), body])
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255])
}

export function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value)
  return buffer
}

/** Bytes given as hexadecimal digits. */
export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(' ', ''), 'hex')
}

/** A string of MQTT made of any bytes, with the length in front. */
export function text(...parts: Part[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : partBytes(part))),
  )
  return Buffer.concat([uint16(body.length), body])
}

function partBytes(part: Part): Uint8Array {
  if (typeof part === 'number') return Buffer.from([part])
  if (typeof part !== 'string') return part
  const encoded = Buffer.from(part)
  return Buffer.concat([uint16(encoded.length), encoded])
}

function varint(value: number): Buffer {
  const out: number[] = []
  do {
    out.push((value & 127) | (value > 127 ? 128 : 0))
    value >>>= 7
  } while (value > 0)
  return Buffer.from(out)
}

function bytesOf(payload: string | Uint8Array): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload
}

/** The parts of a CONNECT that a row wants to be wrong. */
export interface ConnectParts {
  readonly header?: number
  readonly name?: Part
  readonly level?: number
  readonly flags?: number
  /** Properties with their length in front, in 5.0. */
  readonly properties?: Uint8Array
  readonly payload?: readonly Part[]
}

/** A CONNECT made of parts; what is not given is right. */
export function connectFrame(version: 3 | 4 | 5, parts: ConnectParts = {}): Uint8Array {
  const { header = 0x10, level = version, flags = 2, payload = ['a'] } = parts
  const name = parts.name ?? (version === 3 ? 'MQIsdp' : 'MQTT')
  const own = version === 5 ? [parts.properties ?? properties()] : []
  return frame(header, name, level, flags, uint16(60), ...own, ...payload)
}
