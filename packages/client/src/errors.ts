import {
  type ConnackProperties,
  type DisconnectProperties,
  MqttError,
  NO_PROPERTIES,
  type ReasonCode,
  type ReasonProperties,
} from '@pipit/protocol'

/** The server answered CONNECT with a refusal.
 *  @see MQTT 5.0, 3.2.2.2 */
export class ConnectionRefusedError extends MqttError {
  readonly properties: ConnackProperties

  constructor(message: string, reasonCode: ReasonCode, properties: ConnackProperties = NO_PROPERTIES) {
    super('CONNECTION_REFUSED', message, { reasonCode })
    this.properties = properties
  }
}

/** There is no connection, or it ended. `reasonCode` is that of the server's DISCONNECT where it sent one,
 *  or of ours where we ended it; `cause` is the system's error where there was one. */
export class ConnectionLostError extends MqttError {
  readonly properties: DisconnectProperties

  constructor(
    message: string,
    options: { reasonCode?: ReasonCode; cause?: unknown; properties?: DisconnectProperties } = {},
  ) {
    super('CONNECTION_LOST', message, options)
    this.properties = options.properties ?? NO_PROPERTIES
  }
}

/** The server refused a PUBLISH, SUBSCRIBE or UNSUBSCRIBE, or announced that it would. */
export class RequestRefusedError extends MqttError {
  readonly properties: ReasonProperties

  constructor(message: string, reasonCode: ReasonCode, properties: ReasonProperties = NO_PROPERTIES) {
    super('REQUEST_REFUSED', message, { reasonCode })
    this.properties = properties
  }
}

/** The time given for an operation, or for connecting, ran out. */
export class TimeoutError extends MqttError {
  constructor(message: string) {
    super('TIMEOUT', message)
  }
}

/** A packet larger than the server's Maximum Packet Size was not sent.
 *  @see MQTT 5.0, 3.2.2.3.6 */
export class PacketTooLargeError extends MqttError {
  constructor(message: string) {
    super('PACKET_TOO_LARGE', message, { reasonCode: 0x95 })
  }
}

/** The session that an operation belonged to is over: closed by us, expired or forgotten by the server. */
export class SessionEndedError extends MqttError {
  constructor(message: string, cause?: unknown) {
    super('SESSION_ENDED', message, { cause })
  }
}

/** The queue is full, and its policy is to reject. */
export class QueueFullError extends MqttError {
  constructor(message: string) {
    super('QUEUE_FULL', message, { reasonCode: 0x97 })
  }
}

/** What was asked for needs another protocol version, or something the server does not have. */
export class NotSupportedError extends MqttError {
  constructor(message: string) {
    super('NOT_SUPPORTED', message)
  }
}
