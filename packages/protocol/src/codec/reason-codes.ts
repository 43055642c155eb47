import type { PacketType } from './packets.ts'

interface ReasonCodeRow {
  readonly code: number
  readonly name: string
  readonly in: readonly PacketType[]
}

const ACKS = ['PUBACK', 'PUBREC'] as const

/** Every reason code of MQTT 5.0 with the packets it may stand in.
 *  0x00 has three names in the specification; the rows of the other two carry them.
 *  @see MQTT 5.0, 2.4 */
export const REASON_CODES = [
  { code: 0x00, name: 'Success', in: ['CONNACK', ...ACKS, 'PUBREL', 'PUBCOMP', 'UNSUBACK', 'AUTH'] },
  { code: 0x00, name: 'Normal disconnection', in: ['DISCONNECT'] },
  { code: 0x00, name: 'Granted QoS 0', in: ['SUBACK'] },
  { code: 0x01, name: 'Granted QoS 1', in: ['SUBACK'] },
  { code: 0x02, name: 'Granted QoS 2', in: ['SUBACK'] },
  { code: 0x04, name: 'Disconnect with Will Message', in: ['DISCONNECT'] },
  { code: 0x10, name: 'No matching subscribers', in: ACKS },
  { code: 0x11, name: 'No subscription existed', in: ['UNSUBACK'] },
  { code: 0x18, name: 'Continue authentication', in: ['AUTH'] },
  { code: 0x19, name: 'Re-authenticate', in: ['AUTH'] },
  { code: 0x80, name: 'Unspecified error', in: ['CONNACK', ...ACKS, 'SUBACK', 'UNSUBACK', 'DISCONNECT'] },
  { code: 0x81, name: 'Malformed Packet', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x82, name: 'Protocol Error', in: ['CONNACK', 'DISCONNECT'] },
  {
    code: 0x83,
    name: 'Implementation specific error',
    in: ['CONNACK', ...ACKS, 'SUBACK', 'UNSUBACK', 'DISCONNECT'],
  },
  { code: 0x84, name: 'Unsupported Protocol Version', in: ['CONNACK'] },
  { code: 0x85, name: 'Client Identifier not valid', in: ['CONNACK'] },
  { code: 0x86, name: 'Bad User Name or Password', in: ['CONNACK'] },
  { code: 0x87, name: 'Not authorized', in: ['CONNACK', ...ACKS, 'SUBACK', 'UNSUBACK', 'DISCONNECT'] },
  { code: 0x88, name: 'Server unavailable', in: ['CONNACK'] },
  { code: 0x89, name: 'Server busy', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x8a, name: 'Banned', in: ['CONNACK'] },
  { code: 0x8b, name: 'Server shutting down', in: ['DISCONNECT'] },
  { code: 0x8c, name: 'Bad authentication method', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x8d, name: 'Keep Alive timeout', in: ['DISCONNECT'] },
  { code: 0x8e, name: 'Session taken over', in: ['DISCONNECT'] },
  { code: 0x8f, name: 'Topic Filter invalid', in: ['SUBACK', 'UNSUBACK', 'DISCONNECT'] },
  { code: 0x90, name: 'Topic Name invalid', in: ['CONNACK', ...ACKS, 'DISCONNECT'] },
  { code: 0x91, name: 'Packet Identifier in use', in: [...ACKS, 'SUBACK', 'UNSUBACK'] },
  { code: 0x92, name: 'Packet Identifier not found', in: ['PUBREL', 'PUBCOMP'] },
  { code: 0x93, name: 'Receive Maximum exceeded', in: ['DISCONNECT'] },
  { code: 0x94, name: 'Topic Alias invalid', in: ['DISCONNECT'] },
  { code: 0x95, name: 'Packet too large', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x96, name: 'Message rate too high', in: ['DISCONNECT'] },
  { code: 0x97, name: 'Quota exceeded', in: ['CONNACK', ...ACKS, 'SUBACK', 'DISCONNECT'] },
  { code: 0x98, name: 'Administrative action', in: ['DISCONNECT'] },
  { code: 0x99, name: 'Payload format invalid', in: ['CONNACK', ...ACKS, 'DISCONNECT'] },
  { code: 0x9a, name: 'Retain not supported', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x9b, name: 'QoS not supported', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x9c, name: 'Use another server', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x9d, name: 'Server moved', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0x9e, name: 'Shared Subscriptions not supported', in: ['SUBACK', 'DISCONNECT'] },
  { code: 0x9f, name: 'Connection rate exceeded', in: ['CONNACK', 'DISCONNECT'] },
  { code: 0xa0, name: 'Maximum connect time', in: ['DISCONNECT'] },
  { code: 0xa1, name: 'Subscription Identifiers not supported', in: ['SUBACK', 'DISCONNECT'] },
  { code: 0xa2, name: 'Wildcard Subscriptions not supported', in: ['SUBACK', 'DISCONNECT'] },
] as const satisfies readonly ReasonCodeRow[]

/** One byte that tells how an operation ended; 0x80 and above are failures.
 *  @see MQTT 5.0, 2.4 */
export type ReasonCode = (typeof REASON_CODES)[number]['code']

const allowed = new Map<PacketType, Uint8Array>()
for (const row of REASON_CODES as readonly ReasonCodeRow[]) {
  for (const type of row.in) {
    let codes = allowed.get(type)
    if (codes === undefined) allowed.set(type, (codes = new Uint8Array(256)))
    codes[row.code] = 1
  }
}

/** Says whether MQTT 5.0 lets `code` stand in a packet of `type`. */
export function isReasonCodeOf(type: PacketType, code: number): code is ReasonCode {
  return allowed.get(type)?.[code] === 1
}

/** The specification's name of a reason code, such as `Not authorized`.
 *  @param type which packet it stood in; only 0x00 has another name in SUBACK and DISCONNECT */
export function reasonCodeName(code: number, type?: PacketType): string {
  const rows: readonly ReasonCodeRow[] = REASON_CODES
  const row = rows.find((r) => r.code === code && (type === undefined || r.in.includes(type)))
  return row?.name ?? `Unknown reason code 0x${code.toString(16).padStart(2, '0')}`
}
