import type { ReasonCode } from './reason-codes.ts'

/** CONNACK return codes of MQTT 3.1 and 3.1.1.
 *  @see MQTT 3.1.1, 3.2.2.3 */
export const RETURN_CODES = [
  { code: 0, name: 'Connection accepted' },
  { code: 1, name: 'Unacceptable protocol version' },
  { code: 2, name: 'Identifier rejected' },
  { code: 3, name: 'Server unavailable' },
  { code: 4, name: 'Bad user name or password' },
  { code: 5, name: 'Not authorized' },
] as const

const RETURN_CODE_OF: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x84, 1],
  [0x85, 2],
  [0x88, 3],
  [0x89, 3],
  [0x97, 3],
  [0x9f, 3],
  [0x86, 4],
  [0x87, 5],
  [0x8a, 5],
  [0x8c, 5],
])

/** The CONNACK return code of 3.1.1 that says what a reason code of 5.0 says;
 *  undefined when none fits, and then the connection is closed without CONNACK [MQTT-3.2.2-6]. */
export function returnCodeFor(reasonCode: number): number | undefined {
  return RETURN_CODE_OF.get(reasonCode)
}

/** The reason code of 5.0 that says what a CONNACK return code of 3.1.1 says. */
export function reasonCodeForReturnCode(returnCode: number): ReasonCode {
  return ([0x00, 0x84, 0x85, 0x88, 0x86, 0x87] as const)[returnCode] ?? 0x80
}
