import type { PacketType } from '../codec/packets.ts'
import type { ReasonCode } from '../codec/reason-codes.ts'

const ACK = /^(0|10|8[037]|9[0179])$/
const COMPLETION = /^(0|92)$/

/** Which codes, in hexadecimal, may stand in a packet: `codec/reason-codes.ts` packed, as a test makes sure. */
const ALLOWED: { readonly [type in PacketType]?: RegExp } = {
  CONNACK: /^(0|8[0-9ac]|9[0579a-df])$/,
  PUBACK: ACK,
  PUBREC: ACK,
  PUBREL: COMPLETION,
  PUBCOMP: COMPLETION,
  SUBACK: /^([012]|8[037f]|9[17e]|a[12])$/,
  UNSUBACK: /^(0|11|8[037f]|91)$/,
  DISCONNECT: /^([04]|8[0-379b-f]|9[03-9a-f]|a[012])$/,
  AUTH: /^(0|1[89])$/,
}

export function isReasonCodeOf(type: PacketType, code: number): code is ReasonCode {
  return ALLOWED[type]!.test(code.toString(16))
}

/** A page has no names for them. */
export function reasonCodeName(_code: number): string {
  return 'reason code'
}
