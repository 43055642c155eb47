import { PACKET_TYPES } from '../codec/packets.ts'
import type { PropertyPlace } from '../codec/property-table.ts'

/** One property: `kind` is its size in bytes, or the first letter of its type; a byte takes 0 and 1 only. */
export interface Row {
  readonly id: number
  readonly name: string
  readonly kind: string
  /** Packet types by their bits; the will's is bit 0. */
  readonly places: number
  /** Is never 0. */
  readonly nonZero: boolean
}

/** Identifier, name, kind, places: `codec/property-table.ts` packed, as a test makes sure. `!`: never 0. */
const TABLE =
  '1 payloadFormatIndicator 1 9,2 messageExpiryInterval 4 9,3 contentType s 9,8 responseTopic s 9,' +
  '9 correlationData b 9,11 subscriptionIdentifiers v 264 !,17 sessionExpiryInterval 4 16390,' +
  '18 assignedClientIdentifier s 4,19 serverKeepAlive 2 4,21 authenticationMethod s 32774,' +
  '22 authenticationData b 32774,23 requestProblemInformation 1 2,24 willDelayInterval 4 1,' +
  '25 requestResponseInformation 1 2,26 responseInformation s 4,28 serverReference s 16388,' +
  '31 reasonString s 51956,33 receiveMaximum 2 6 !,34 topicAliasMaximum 2 6,35 topicAlias 2 8 !,' +
  '36 maximumQoS 1 4,37 retainAvailable 1 4,38 userProperties p 53247,39 maximumPacketSize 4 6 !,' +
  '40 wildcardSubscriptionAvailable 1 4,41 subscriptionIdentifiersAvailable 1 4,' +
  '42 sharedSubscriptionAvailable 1 4'

export const ROWS: readonly Row[] = TABLE.split(',').map((row) => {
  const [id, name = '', kind = '', places, mark] = row.split(' ')
  return { id: Number(id), name, kind, places: Number(places), nonZero: mark !== undefined }
})

/** Says whether a property may stand in a packet. */
export function stands(row: Row | undefined, place: PropertyPlace): row is Row {
  const type = PACKET_TYPES.indexOf(place as 'CONNECT')
  return row !== undefined && ((row.places >> Math.max(type, 0)) & 1) === 1
}
