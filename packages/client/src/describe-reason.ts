import { reasonCodeName } from '@pipit/protocol'

/** `Not authorized (0x87): reason string`, as far as there is one. */
export function describeReason(reasonCode: number, reasonString?: string): string {
  const name = `${reasonCodeName(reasonCode)} (0x${reasonCode.toString(16).padStart(2, '0')})`
  return reasonString === undefined ? name : `${name}: ${reasonString}`
}
