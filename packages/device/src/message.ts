import type { DeviceMessage } from './link.ts'

const decoder = new TextDecoder()

/** One message as it came to the device. */
export class ReceivedMessage implements DeviceMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1 | 2
  /** The broker had kept it, and sent it because we subscribed. */
  readonly retain: boolean

  constructor(topic: string, payload: Uint8Array, qos: 0 | 1 | 2, retain: boolean) {
    this.topic = topic
    this.payload = payload
    this.qos = qos
    this.retain = retain
  }

  /** The payload as UTF-8 text. */
  text(): string {
    return decoder.decode(this.payload)
  }

  /** The payload parsed as JSON.
   *  @throws SyntaxError when it is none */
  json(): unknown {
    return JSON.parse(this.text())
  }
}
