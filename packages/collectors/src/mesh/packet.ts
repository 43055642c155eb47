import type { ChannelCipher } from './keys.ts'
import {
  Data,
  MapReport,
  type MeshPacket,
  NeighborInfo,
  Position,
  type ServiceEnvelope,
  Telemetry,
  User,
} from './messages.ts'

export const PORT = {
  text: 1,
  position: 3,
  nodeInfo: 4,
  telemetry: 67,
  neighborInfo: 71,
  mapReport: 73,
} as const

/** What a packet said, on a port that is known here. */
export type Content =
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'position'; readonly value: Position }
  | { readonly type: 'nodeinfo'; readonly value: User }
  | { readonly type: 'telemetry'; readonly value: Telemetry }
  | { readonly type: 'neighborinfo'; readonly value: NeighborInfo }
  | { readonly type: 'map'; readonly value: MapReport }
  | { readonly type: 'other'; readonly portnum: number }

/** A packet that could be read, as both its forms give it. */
export interface MeshMessage {
  readonly from: number
  readonly to: number
  readonly id: number
  /** Milliseconds since the epoch when a gateway heard it; undefined when it does not say. */
  readonly heardAt: number | undefined
  readonly channel: number
  readonly gateway: string
  readonly snr: number | undefined
  readonly rssi: number | undefined
  readonly hopStart: number | undefined
  readonly hopLimit: number | undefined
  readonly content: Content
}

/** Why there is nothing to store. */
export type Unreadable = 'empty' | 'publicKey' | 'undecryptable' | 'malformed'

/** Reads what an envelope holds, with this channel's cipher where it is encrypted.
 *  @param cipher undefined: the channel is not encrypted */
export function readPacket(
  { packet, gatewayId = '' }: ServiceEnvelope,
  cipher: ChannelCipher | undefined,
): MeshMessage | Unreadable {
  if (packet === undefined || packet.from === undefined || packet.from === 0) return 'empty'
  if (packet.pkiEncrypted === true) return 'publicKey'
  const content = packet.decoded === undefined ? openPacket(packet, cipher) : contentOf(packet.decoded)
  if (typeof content === 'string') return content
  const { from, to = 0, id = 0, channel = 0, rxTime, rxSnr, rxRssi, hopStart, hopLimit } = packet
  return {
    from,
    to,
    id,
    heardAt: rxTime === undefined || rxTime === 0 ? undefined : rxTime * 1000,
    channel,
    gateway: gatewayId,
    snr: rxSnr,
    rssi: rxRssi,
    hopStart,
    hopLimit,
    content,
  }
}

function openPacket(packet: MeshPacket, cipher: ChannelCipher | undefined): Content | Unreadable {
  const { from = 0, id = 0, encrypted } = packet
  if (encrypted === undefined || encrypted.length === 0) return 'empty'
  return validContent(cipher?.decrypt(from, id, encrypted) ?? encrypted) ?? 'undecryptable'
}

/** A plain text that makes sense. There is no authentication tag: what a wrong key gives is noise, and noise
 *  all but never is a message with a known port whose payload is one too. */
function validContent(plain: Uint8Array): Content | undefined {
  try {
    const data = Data.decode(plain)
    const { portnum = 0 } = data
    if (portnum === 0 || portnum > 511 || data.payload === undefined) return undefined
    const content = contentOf(data)
    return typeof content === 'string' ? undefined : content
  } catch {
    return undefined
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const NOTHING = new Uint8Array(0)

function contentOf({ portnum = 0, payload = NOTHING }: Data): Content | 'malformed' {
  try {
    switch (portnum) {
      case PORT.text:
        return { type: 'text', value: decoder.decode(payload) }
      case PORT.position:
        return { type: 'position', value: Position.decode(payload) }
      case PORT.nodeInfo:
        return { type: 'nodeinfo', value: User.decode(payload) }
      case PORT.telemetry:
        return { type: 'telemetry', value: Telemetry.decode(payload) }
      case PORT.neighborInfo:
        return { type: 'neighborinfo', value: NeighborInfo.decode(payload) }
      case PORT.mapReport:
        return { type: 'map', value: MapReport.decode(payload) }
      default:
        return { type: 'other', portnum }
    }
  } catch {
    return 'malformed'
  }
}
