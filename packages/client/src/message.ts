import type { Publish, PublishProperties, QoS, ReasonCode } from '@pipit/protocol'

import type { Scope } from './telemetry.ts'

/** Who is told when a message has been handled. */
export interface MessageOwner {
  handled(message: Message): void
}

const decoder = new TextDecoder()

/** One message as it arrived.
 *  @see MQTT 5.0, 3.3 */
export class Message {
  readonly topic: string
  /** A view of the bytes that were read; `slice()` it to keep a little of much for long. */
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly dup: boolean
  /** Content Type, Response Topic, Correlation Data, User Properties…; empty before MQTT 5.0. */
  readonly properties: PublishProperties

  /** @internal Of a copy (`dup`) in the same session it is that of the first: links between brokers know it so. */
  readonly packetId: number
  /** @internal The connection it came on. */ connection: number
  /** @internal How many receivers have not handled it yet. */ remaining = 0
  /** @internal */ isHandled = false
  /** @internal */ isManual = false
  /** @internal */ refusal: ReasonCode = 0
  /** @internal The span around its handling. */ scope: Scope | undefined = undefined
  /** @internal What its handler threw. */ failure: unknown = undefined
  private readonly owner: MessageOwner | undefined

  /** @internal */
  constructor(
    packet: Publish,
    topic: string,
    properties: PublishProperties,
    connection: number,
    owner?: MessageOwner,
  ) {
    this.topic = topic
    this.payload = packet.payload
    this.qos = packet.qos
    this.retain = packet.retain
    this.dup = packet.dup
    this.properties = properties
    this.packetId = packet.packetId
    this.connection = connection
    this.owner = owner
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

  /** Acknowledges a message that came with `acknowledge: 'manual'`; once, and nothing at QoS 0.
   *  Acknowledgements leave in the order in which the messages came [MQTT-4.6.0-2].
   *  @param reasonCode 0x80 and above refuses the message: the server does not send it again (MQTT 5.0) */
  acknowledge(reasonCode: ReasonCode = 0): void {
    if (!this.isManual) return
    this.isManual = false
    this.settle(reasonCode)
  }

  /** @internal One receiver has handled it. */
  settle(reasonCode: ReasonCode = 0): void {
    if (reasonCode !== 0) this.refusal = reasonCode
    if (--this.remaining > 0 || this.isHandled) return
    this.isHandled = true
    this.scope?.end(this.refusal >= 0x80 ? (this.failure ?? new Error('it was refused')) : undefined)
    this.owner?.handled(this)
  }
}
