import type { ReasonCode } from './codec/reason-codes.ts'

/** Root of every error that Pipit raises for a reason MQTT knows about.
 *  Test `code`, never the message: codes are stable, messages are for people. */
export class MqttError extends Error {
  /** Stable identifier of the kind of failure, such as `MALFORMED_PACKET`. */
  readonly code: string
  /** The MQTT reason code that names the failure on the wire, where there is one. */
  readonly reasonCode: ReasonCode | undefined

  constructor(code: string, message: string, options: { reasonCode?: ReasonCode; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.reasonCode = options.reasonCode
  }
}

/** Bytes that no correct sender writes: a packet that cannot be parsed.
 *  @see MQTT 5.0, 4.13.1 */
export class MalformedPacketError extends MqttError {
  constructor(message: string, reasonCode: ReasonCode = 0x81) {
    super('MALFORMED_PACKET', message, { reasonCode })
  }
}

/** A Remaining Length that does not end: nothing behind it can be told apart. */
export class FramingError extends MalformedPacketError {}

/** A packet that parses but that the protocol does not allow, or not at this point.
 *  `reasonCode` is 0x82 unless the specification has a more precise one (0x93, 0x94, 0x95…).
 *  @see MQTT 5.0, 4.13.1 */
export class ProtocolError extends MqttError {
  constructor(message: string, reasonCode: ReasonCode = 0x82) {
    super('PROTOCOL_ERROR', message, { reasonCode })
  }
}
